package dashboard

import (
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"gengfu/facility"
)

// basicHome sends everybody to the plain page that their work begins with.
func (s *Server) basicHome(c *fiber.Ctx, v *visitor) error {
	switch {
	case !v.signedIn():
		return back(c, "/basic/sign-in")
	case v.may(facility.SeeEstate) && v.person.Role != facility.RoleTechnician:
		return back(c, "/basic/overview")
	case v.may(facility.SeePatrol):
		return back(c, "/basic/rounds")
	}
	return back(c, "/basic/orders")
}

type signInData struct {
	Next       string
	Login      string
	Problem    *facility.Text
	DemoLogins []DemoLogin
}

func (s *Server) basicSignInPage(c *fiber.Ctx, v *visitor) error {
	if v.signedIn() {
		return back(c, localPath(c.Query("next")))
	}
	return s.show(c, v, "sign-in", "sign_in", signInData{Next: localPath(c.Query("next")), DemoLogins: s.options.DemoLogins})
}

// localPath is the path to go on to, which must be one of this server.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/basic"
	}
	return next
}

func (s *Server) basicSignIn(c *fiber.Ctx, v *visitor) error {
	secret := v.token
	if !v.signedIn() {
		secret = c.Cookies(formCookie)
	}
	if !rightToken(c, secret) {
		return failWith("cross_site", "form_token", nil)
	}
	next := localPath(c.FormValue("next"))
	login := strings.TrimSpace(c.FormValue("login"))
	_, token, err := s.openSession(c, login, c.FormValue("password"))
	if p, known := asProblem(err); err != nil && known {
		c.Status(p.status)
		return s.show(c, v, "sign-in", "sign_in", signInData{
			Next: next, Login: clip(login, 64), Problem: &p.message, DemoLogins: s.options.DemoLogins,
		})
	}
	if err != nil {
		return err
	}
	s.closeSession(c.UserContext(), v)
	s.setCookie(c, token)
	return back(c, next)
}

func (s *Server) basicSignOut(c *fiber.Ctx, v *visitor) error {
	if err := s.signOut(c, v); err != nil {
		return err
	}
	return back(c, "/basic/sign-in")
}

type overviewData struct {
	overviewShape
	List []deviceShape
}

func (s *Server) basicOverview(c *fiber.Ctx, v *visitor) error {
	o, err := s.hub.readOverview(c.UserContext())
	if err != nil {
		return err
	}
	return s.show(c, v, "overview", "overview", overviewData{overviewShape: o, List: s.devices()})
}

func (s *Server) basicAlarms(c *fiber.Ctx, v *visitor) error {
	alarms, err := s.options.Watch.Alarms(c.UserContext(), facility.AlarmFilter{Standing: true})
	if err != nil {
		return doing("list the alarms", err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	return s.show(c, v, "alarms", "alarms", view.alarms(alarms))
}

func (s *Server) basicAcknowledge(c *fiber.Ctx, v *visitor) error {
	if _, err := s.acknowledgeAlarm(c.UserContext(), v, c.Params("id"), c.FormValue("note")); err != nil {
		return err
	}
	return back(c, "/basic/alarms")
}

func (s *Server) basicReset(c *fiber.Ctx, v *visitor) error {
	if _, err := s.resetAlarm(c.UserContext(), v, c.Params("id"), c.FormValue("note")); err != nil {
		return err
	}
	return back(c, "/basic/alarms")
}

type ordersData struct {
	Show   string
	Orders []orderShape
}

func (s *Server) basicOrders(c *fiber.Ctx, v *visitor) error {
	show, err := oneOf(c, "show", "open", "mine", "done", "all")
	if err != nil {
		return err
	}
	orders, err := s.ordersFor(c.UserContext(), v, show, "", facility.Page{Limit: 100})
	if err != nil {
		return err
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	data := ordersData{Show: show}
	for _, o := range orders {
		data.Orders = append(data.Orders, view.order(o, v.person))
	}
	return s.show(c, v, "orders", "orders", data)
}

type orderData struct {
	orderDetailShape
	Buttons  []facility.OrderAction // what needs no more than a note
	Assign   bool
	Photo    bool
	Tick     bool // the steps of the checklist
	Unticked int  // steps that completing it now would leave undone
}

func (s *Server) basicOrder(c *fiber.Ctx, v *visitor) error {
	o, err := s.orderFor(c.UserContext(), v, c.Params("id"))
	if err != nil {
		return err
	}
	detail, err := s.orderDetail(c, v, o)
	if err != nil {
		return err
	}
	data := orderData{orderDetailShape: detail}
	for _, a := range detail.Order.Actions {
		switch a {
		case facility.OrderAssign:
			data.Assign = true
		case facility.OrderPhoto:
			data.Photo = true
		case facility.OrderTick:
			data.Tick = true
		case facility.OrderUntick: // beside each step that is ticked
		default:
			data.Buttons = append(data.Buttons, a)
			if a == facility.OrderComplete {
				data.Unticked = len(o.Undone())
			}
		}
	}
	return s.show(c, v, "order", "order", data)
}

func (s *Server) basicAct(c *fiber.Ctx, v *visitor) error {
	var version, step int
	for name, to := range map[string]*int{"version": &version, "step": &step} {
		if seen := c.FormValue(name); seen != "" {
			n, err := number(name, seen)
			if err != nil {
				return err
			}
			*to = n
		}
	}
	_, err := s.act(c.UserContext(), v, c.Params("id"), facility.Act{
		Action: facility.OrderAction(c.FormValue("action")), Note: c.FormValue("note"),
		Target: c.FormValue("target"), Version: version, Step: step,
	})
	if err != nil {
		return err
	}
	if c.FormValue("action") == string(facility.OrderReturn) { // it may be out of sight now
		return back(c, "/basic/orders")
	}
	return back(c, "/basic/orders/"+url.PathEscape(c.Params("id")))
}

func (s *Server) basicPhoto(c *fiber.Ctx, v *visitor) error {
	o, err := s.takePhoto(c, v)
	if err != nil {
		return err
	}
	return back(c, "/basic/orders/"+url.PathEscape(o.ID))
}

type reportData struct {
	Places     []facility.Place
	Devices    []facility.Device
	Priorities []facility.Priority
}

func (s *Server) basicReportPage(c *fiber.Ctx, v *visitor) error {
	return s.show(c, v, "report", "report", reportData{
		Places: s.estate.Places, Devices: s.estate.Devices,
		Priorities: []facility.Priority{facility.P3, facility.P2, facility.P1, facility.P4},
	})
}

func (s *Server) basicReport(c *fiber.Ctx, v *visitor) error {
	o, err := s.makeOrder(c.UserContext(), v, newOrder{
		Title: c.FormValue("title"), Detail: c.FormValue("detail"), Place: c.FormValue("place"),
		Device: c.FormValue("device"), Priority: facility.Priority(c.FormValue("priority")),
	})
	if err != nil {
		return err
	}
	return back(c, "/basic/orders/"+url.PathEscape(o.ID))
}

func (s *Server) basicRounds(c *fiber.Ctx, v *visitor) error {
	start, end, err := s.day(c)
	if err != nil {
		return err
	}
	rounds, err := s.options.Watch.Rounds(c.UserContext(), start, end)
	if err != nil {
		return doing("list the rounds", err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	shapes := make([]roundShape, 0, len(rounds))
	for _, r := range rounds {
		shapes = append(shapes, view.round(r))
	}
	return s.show(c, v, "rounds", "rounds", shapes)
}

type tapData struct {
	Checkpoint facility.Text
	Round      *roundShape
	ID         string // of the tap to be made: sending the form twice makes one tap
	Done       bool
	At         time.Time
	Left       int
}

func (s *Server) basicTapPage(c *fiber.Ctx, v *visitor) error {
	checkpoint, err := s.tagged(c)
	if err != nil {
		return err
	}
	round, err := s.expectedRound(c, checkpoint.ID)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return doing("number a tap", err)
	}
	return s.show(c, v, "tap", "tap", tapData{Checkpoint: checkpoint.Name, Round: round, ID: id.String(), Left: left(round)})
}

func (s *Server) basicTap(c *fiber.Ctx, v *visitor) error {
	checkpoint, err := s.tagged(c)
	if err != nil {
		return err
	}
	now := s.now()
	results, err := s.bookTaps(c.UserContext(), v, now, []handedTap{{
		ID: c.FormValue("id"), Token: checkpoint.Token, Source: facility.TapURL, TappedAt: now,
	}})
	if err != nil {
		return err
	}
	if !results[0].Accepted {
		return invalid("id", "tap_id", nil)
	}
	return s.show(c, v, "tap", "tap", tapData{Checkpoint: checkpoint.Name, Done: true, At: now})
}

// left counts the checkpoints of a round that are still to be reached.
func left(r *roundShape) int {
	n := 0
	if r != nil {
		for _, v := range r.Visits {
			if v.Verdict == facility.Pending {
				n++
			}
		}
	}
	return n
}
