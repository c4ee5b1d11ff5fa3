package dashboard

import (
	"github.com/gofiber/fiber/v2"

	"gengfu/facility"
)

// route is one way into the server.
type route struct {
	method  string
	path    string
	access  access
	handler handler
}

// routes is the table of who may do what. There is no other way in: mount
// registers nothing but this table and what extensions state about themselves.
func (s *Server) routes() []route {
	const get, post, put, patch, del = fiber.MethodGet, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch, fiber.MethodDelete
	return []route{
		{get, "/healthz", access{kind: open}, s.healthz},
		{get, "/readyz", access{kind: open}, s.readyz},
		{get, "/metrics", access{kind: operator, permission: facility.SeeHealth}, s.metrics},

		{get, "/api/session", access{kind: anybody}, s.getSession},
		{post, "/api/session", access{kind: anybody}, s.signIn},
		{del, "/api/session", access{kind: signedIn}, s.signOut},
		{post, "/api/session/password", access{kind: signedIn}, s.changePassword},
		{get, "/api/lang/:lang", access{kind: open}, s.language},

		{get, "/api/overview", may(facility.SeeEstate), s.getOverview},
		{get, "/api/devices", may(facility.SeeEstate), s.listDevices},
		{get, "/api/devices/:id", may(facility.SeeEstate), s.getDevice},
		{get, "/api/history/:device/:quantity", may(facility.SeeEstate), s.history},
		{get, "/api/consumption/:device/:quantity", may(facility.SeeEstate), s.consumption},

		{get, "/api/alarms", may(facility.SeeEstate), s.listAlarms},
		{get, "/api/alarms/:id", may(facility.SeeEstate), s.getAlarm},
		{post, "/api/alarms/:id/acknowledge", may(facility.AcknowledgeAlarm), s.acknowledge},
		{post, "/api/alarms/:id/reset", may(facility.AcknowledgeAlarm), s.reset},
		{post, "/api/alarms/:id/usual", may(facility.EditRules), s.usual},

		// Whoever lacks hold_alarm may take out of service for an order of their own.
		{get, "/api/holds", may(facility.SeeEstate), s.listHolds},
		{post, "/api/holds", may(facility.AcknowledgeAlarm), s.hold},
		{post, "/api/holds/release", may(facility.AcknowledgeAlarm), s.release},

		{get, "/api/notices", may(facility.AcknowledgeAlarm), s.listNotices},
		{get, "/api/alarm-figures", may(facility.SeeFigures), s.alarmFigures},

		{get, "/api/rules", may(facility.SeeEstate), s.listRules},
		{post, "/api/rules/check", may(facility.SeeEstate), s.checkRule},
		{post, "/api/rules/backtest", may(facility.SeeEstate), s.backtestRule},
		{get, "/api/rules/:id", may(facility.SeeEstate), s.getRule},
		{put, "/api/rules/:id", may(facility.EditRules), s.saveRule},

		// What may be done to an order is decided by facility.Order.MayAct.
		{get, "/api/orders", access{kind: signedIn}, s.listOrders},
		{post, "/api/orders", may(facility.CreateOrder), s.createOrder},
		{get, "/api/orders/:id", access{kind: signedIn}, s.getOrder},
		{post, "/api/orders/:id/actions", access{kind: signedIn}, s.actOnOrder},
		{post, "/api/orders/:id/photos", access{kind: signedIn}, s.addPhoto},
		{get, "/api/photos/:id", access{kind: signedIn}, s.getPhoto},

		{get, "/api/rounds", may(facility.SeePatrol), s.listRounds},
		{get, "/api/checkpoints", may(facility.SeePatrol), s.listCheckpoints},
		{get, "/api/checkpoints/by-token/:token", may(facility.MakeTap), s.checkpointByToken},
		{get, "/api/taps", may(facility.SeePatrol), s.listTaps},
		{post, "/api/taps", may(facility.MakeTap), s.takeTaps},
		{post, "/api/taps/import", may(facility.ImportTaps), s.importTaps},

		{get, "/api/people", access{kind: signedIn}, s.listPeople},
		{post, "/api/people", may(facility.ManagePeople), s.createPerson},
		{patch, "/api/people/:login", may(facility.ManagePeople), s.updatePerson},
		{get, "/api/audit", may(facility.SeeAudit), s.auditLog},
		{get, "/api/health", access{kind: operator, permission: facility.SeeHealth}, s.health},
		{get, "/api/health/dead-letters", access{kind: operator, permission: facility.SeeHealth}, s.deadLetters},
		{get, "/api/events", access{kind: signedIn}, s.events},

		{get, "/basic", access{kind: anybody}, s.basicHome},
		{get, "/basic/style.css", access{kind: open}, s.basicStyle},
		{get, "/basic/sign-in", access{kind: anybody}, s.basicSignInPage},
		{post, "/basic/sign-in", access{kind: anybody}, s.basicSignIn},
		{post, "/basic/sign-out", access{kind: signedIn}, s.form(s.basicSignOut)},
		{get, "/basic/overview", may(facility.SeeEstate), s.basicOverview},
		{get, "/basic/alarms", may(facility.SeeEstate), s.basicAlarms},
		{post, "/basic/alarms/:id/acknowledge", may(facility.AcknowledgeAlarm), s.form(s.basicAcknowledge)},
		{post, "/basic/alarms/:id/reset", may(facility.AcknowledgeAlarm), s.form(s.basicReset)},
		{get, "/basic/orders", access{kind: signedIn}, s.basicOrders},
		{get, "/basic/orders/:id", access{kind: signedIn}, s.basicOrder},
		{post, "/basic/orders/:id/actions", access{kind: signedIn}, s.form(s.basicAct)},
		{post, "/basic/orders/:id/photos", access{kind: signedIn}, s.form(s.basicPhoto)},
		{get, "/basic/report", may(facility.CreateOrder), s.basicReportPage},
		{post, "/basic/report", may(facility.CreateOrder), s.form(s.basicReport)},
		{get, "/basic/rounds", may(facility.SeePatrol), s.basicRounds},
		{get, "/basic/t/:token", may(facility.MakeTap), s.basicTapPage},
		{post, "/basic/t/:token", may(facility.MakeTap), s.form(s.basicTap)},

		{get, "/*", access{kind: open}, s.file},
	}
}

// mount registers the routes, the extensions before the one that takes all.
func (s *Server) mount(app *fiber.App) {
	app.Use(s.protected)
	for _, e := range s.options.Extensions {
		s.mountExtension(app, e)
	}
	for _, r := range s.routes() {
		h := s.guarded(r.access, r.handler)
		app.Add(r.method, r.path, h)
		if r.method == fiber.MethodGet && r.path != "/api/events" {
			app.Add(fiber.MethodHead, r.path, h)
		}
	}
}
