package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

func (s *Server) listOrders(c *fiber.Ctx, v *visitor) error {
	show, err := oneOf(c, "show", "open", "mine", "done", "all")
	if err != nil {
		return err
	}
	stretch, err := page(c)
	if err != nil {
		return err
	}
	search, err := text("q", c.Query("q"), 100, false)
	if err != nil {
		return err
	}
	orders, err := s.ordersFor(c.UserContext(), v, show, search, stretch)
	if err != nil {
		return err
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	shapes := make([]orderShape, 0, len(orders))
	for _, o := range orders {
		shapes = append(shapes, view.order(o, v.person))
	}
	return c.JSON(fiber.Map{"orders": shapes})
}

// ordersFor lists what a person may see: all orders, or those of one's own.
func (s *Server) ordersFor(ctx context.Context, v *visitor, show, search string, stretch facility.Page) ([]facility.Order, error) {
	filter := facility.OrderFilter{Page: stretch, Open: show == "open" || show == "mine", Done: show == "done", Search: search}
	if show == "mine" {
		filter.Mine = v.person.Login
	}
	if !v.may(facility.SeeAllOrders) {
		filter.Concern = v.person.Login
	}
	orders, err := s.options.Orders.Orders(ctx, filter)
	return orders, doing("list the orders", err)
}

// orderFor finds an order that the visitor may see. One that is not for their
// eyes does not exist for them.
func (s *Server) orderFor(ctx context.Context, v *visitor, id string) (facility.Order, error) {
	o, err := s.options.Orders.Order(ctx, id)
	if err != nil {
		return facility.Order{}, doing("read order "+id, err)
	}
	if !mayFollow(v.person, o) {
		return facility.Order{}, fail("not_found")
	}
	return o, nil
}

func (s *Server) getOrder(c *fiber.Ctx, v *visitor) error {
	o, err := s.orderFor(c.UserContext(), v, c.Params("id"))
	if err != nil {
		return err
	}
	return s.sendOrder(c, v, o)
}

func (s *Server) sendOrder(c *fiber.Ctx, v *visitor, o facility.Order) error {
	detail, err := s.orderDetail(c, v, o)
	if err != nil {
		return err
	}
	return c.JSON(detail)
}

func (s *Server) orderDetail(c *fiber.Ctx, v *visitor, o facility.Order) (orderDetailShape, error) {
	ctx := c.UserContext()
	view, err := s.view(c)
	if err != nil {
		return orderDetailShape{}, err
	}
	events, err := s.options.Orders.OrderEvents(ctx, o.ID)
	if err != nil {
		return orderDetailShape{}, doing("read the history of order "+o.No, err)
	}
	alarms, err := s.options.Orders.OrderAlarms(ctx, o.ID)
	if err != nil {
		return orderDetailShape{}, doing("read the alarms of order "+o.No, err)
	}
	shape := orderDetailShape{
		Order: view.order(o, v.person), Events: make([]orderEventShape, 0, len(events)),
		Alarms: view.alarms(alarms), Assignable: []assignableShape{},
		Checklist: view.checklist(o), Bring: append([]facility.Text{}, o.Bring...),
	}
	for _, e := range events {
		shape.Events = append(shape.Events, view.orderEvent(e))
	}
	if slices.Contains(shape.Order.Actions, facility.OrderAssign) {
		shape.Assignable, err = s.assignable(ctx)
	}
	return shape, err
}

// assignable are those who can be sent, technicians before guards before the
// others, and who has least to do first.
func (s *Server) assignable(ctx context.Context) ([]assignableShape, error) {
	people, err := s.options.People.People(ctx)
	if err != nil {
		return nil, doing("read the people", err)
	}
	open, err := s.options.Orders.OpenOrders(ctx)
	if err != nil {
		return nil, doing("count the open orders", err)
	}
	out := []assignableShape{}
	for _, p := range people {
		if canTakeOrders(p) {
			out = append(out, assignableShape{Login: p.Login, Name: p.Name, Role: p.Role, OpenOrders: open[p.Login]})
		}
	}
	turn := func(r facility.Role) int {
		return slices.Index([]facility.Role{facility.RoleTechnician, facility.RoleGuard, facility.RoleDesk, facility.RoleManager, facility.RoleAdmin}, r)
	}
	slices.SortFunc(out, func(a, b assignableShape) int {
		return cmp.Or(cmp.Compare(turn(a.Role), turn(b.Role)), cmp.Compare(a.OpenOrders, b.OpenOrders), strings.Compare(a.Name, b.Name))
	})
	return out, nil
}

// canTakeOrders reports whether an order may be given to a person: whoever may
// not even make one cannot act on one.
func canTakeOrders(p facility.Person) bool {
	return !p.Disabled && p.Role.May(facility.CreateOrder)
}

// newOrder is what somebody reports.
type newOrder struct {
	Title    string            `json:"title"`
	Detail   string            `json:"detail"`
	Place    string            `json:"place"`
	Device   string            `json:"device"`
	Priority facility.Priority `json:"priority"`
}

func (s *Server) createOrder(c *fiber.Ctx, v *visitor) error {
	var body newOrder
	if err := readBody(c, &body); err != nil {
		return err
	}
	o, err := s.makeOrder(c.UserContext(), v, body)
	if err != nil {
		return err
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(view.order(o, v.person))
}

func (s *Server) makeOrder(ctx context.Context, v *visitor, n newOrder) (facility.Order, error) {
	title, err := text("title", n.Title, 200, true)
	if err != nil {
		return facility.Order{}, err
	}
	detail, err := text("detail", n.Detail, 4000, false)
	if err != nil {
		return facility.Order{}, err
	}
	if n.Priority == "" {
		n.Priority = facility.P3
	}
	switch {
	case !n.Priority.Valid():
		return facility.Order{}, invalid("priority", "priority", nil)
	case n.Device != "" && s.estate.devices[n.Device] == nil:
		return facility.Order{}, invalid("device", "device", nil)
	case n.Place != "" && s.estate.places[n.Place] == nil:
		return facility.Order{}, invalid("place", "place", nil)
	}
	o, err := s.options.Desk.CreateOrder(ctx, v.person, facility.Order{
		Source: sourceOf(v.person.Role), Title: facility.Text{ZH: title}, Detail: facility.Text{ZH: detail},
		Device: n.Device, Place: s.estate.placeOf(n.Place, n.Device), Priority: n.Priority, CreatedBy: v.person.Login,
	})
	if err != nil {
		return facility.Order{}, doing("create an order", err)
	}
	s.audit(ctx, v.person.Login, "order.create", o.ID, o.No)
	return o, nil
}

// sourceOf says how an order came about by who wrote it: a guard or technician
// saw it, everybody else was told.
func sourceOf(r facility.Role) facility.OrderSource {
	if r == facility.RoleTechnician || r == facility.RoleGuard {
		return facility.FromStaff
	}
	return facility.FromDesk
}

// actions are what a person may ask for by name. A photo comes by its own way,
// and the rest is the program's.
var actions = [...]facility.OrderAction{
	facility.OrderAssign, facility.OrderAccept, facility.OrderReturn, facility.OrderArrive, facility.OrderStart,
	facility.OrderHold, facility.OrderResume, facility.OrderComplete, facility.OrderVerify, facility.OrderClose,
	facility.OrderCancel, facility.OrderReopen, facility.OrderComment,
	facility.OrderTick, facility.OrderUntick,
}

func (s *Server) actOnOrder(c *fiber.Ctx, v *visitor) error {
	var body struct {
		Action  facility.OrderAction `json:"action"`
		Note    string               `json:"note"`
		Target  string               `json:"target"`
		Version int                  `json:"version"`
		Step    int                  `json:"step"`
		At      time.Time            `json:"at"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	o, err := s.act(c.UserContext(), v, c.Params("id"), facility.Act{
		Action: body.Action, Note: body.Note, Target: body.Target, Version: body.Version,
		Step: body.Step, At: body.At,
	})
	if err != nil {
		return err
	}
	return s.sendOrder(c, v, o)
}

func (s *Server) act(ctx context.Context, v *visitor, id string, a facility.Act) (facility.Order, error) {
	if !slices.Contains(actions[:], a.Action) {
		return facility.Order{}, invalid("action", "action", nil)
	}
	before, err := s.orderFor(ctx, v, id)
	if err != nil {
		return facility.Order{}, err
	}
	if a.Note, err = note(a.Note); err != nil {
		return facility.Order{}, err
	}
	if a.Action.NeedsNote() && a.Note == "" {
		return facility.Order{}, invalid("note", "note_needed", nil)
	}
	if ticks := a.Action == facility.OrderTick || a.Action == facility.OrderUntick; ticks && (a.Step < 1 || a.Step > len(before.Checklist)) {
		return facility.Order{}, invalid("step", "step", nil)
	}
	if a.Action != facility.OrderAssign {
		a.Target = ""
	} else if err := s.checkAssignee(ctx, a.Target); err != nil {
		return facility.Order{}, err
	}
	after, err := s.options.Desk.ActOnOrder(ctx, v.person, id, a, nil)
	if err != nil {
		return facility.Order{}, fmt.Errorf("%s order %s: %w", a.Action, before.No, err)
	}
	detail := strings.TrimSpace(after.No + " " + a.Target)
	s.audit(ctx, v.person.Login, "order."+string(a.Action), id, detail)
	return after, nil
}

func (s *Server) checkAssignee(ctx context.Context, login string) error {
	people, err := s.options.People.People(ctx)
	if err != nil {
		return doing("read the people", err)
	}
	for _, p := range people {
		if p.Login == login && canTakeOrders(p) {
			return nil
		}
	}
	return invalid("target", "assignee", lang.Args{"login": clip(login, 40)})
}
