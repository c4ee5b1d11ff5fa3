package facility_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gengfu/facility"
)

func TestRoles(t *testing.T) {
	// Permission by permission, who has it; written independently of the grants.
	tests := map[facility.Permission]string{
		facility.SeeEstate:        "admin manager desk technician viewer",
		facility.SeeAllOrders:     "admin manager desk viewer",
		facility.SeePatrol:        "admin manager desk guard viewer",
		facility.AcknowledgeAlarm: "admin manager desk technician",
		facility.CreateOrder:      "admin manager desk technician guard",
		facility.MakeTap:          "admin guard",
		facility.ImportTaps:       "admin manager desk",
		facility.ManagePeople:     "admin",
		facility.SeeAudit:         "admin manager",
		facility.SeeHealth:        "admin manager",
		"":                        "",
		"fly":                     "",
	}
	for p, roles := range tests {
		for _, role := range append(slices.Clone(facility.Roles), "", "root") {
			if got, want := role.May(p), slices.Contains(strings.Fields(roles), string(role)) && role != ""; got != want {
				t.Errorf("%q may %q: %v", role, p, got)
			}
		}
	}
	for _, role := range facility.Roles {
		if !role.Valid() {
			t.Errorf("%s is not valid", role)
		}
	}
	if facility.Role("root").Valid() || facility.Role("").Valid() {
		t.Error("a role that does not exist is valid")
	}
}

func TestValidLogin(t *testing.T) {
	for s, want := range map[string]bool{
		"li": true, "zhang.san": true, "a_b-c.9": true, "9a": true, strings.Repeat("a", 64): true,
		"": false, "Li": false, "-li": false, ".li": false, "li si": false, "李": false, "li\n": false,
		"system": false, strings.Repeat("a", 65): false, "a'--": false,
	} {
		if facility.ValidLogin(s) != want {
			t.Errorf("%q valid: %v", s, !want)
		}
	}
}

func TestPersonValidate(t *testing.T) {
	good := facility.Person{Login: "li", Role: facility.RoleDesk, Badges: []string{"04A035B2"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*facility.Person){
		"login":                func(p *facility.Person) { p.Login = "system" },
		"role":                 func(p *facility.Person) { p.Role = "boss" },
		"badge":                func(p *facility.Person) { p.Badges = []string{"xyz"} },
		"badge not normalised": func(p *facility.Person) { p.Badges = []string{"04:a0:35:b2"} },
	} {
		p := good
		change(&p)
		if err := p.Validate(); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func TestAssignable(t *testing.T) {
	for _, role := range facility.Roles {
		p := facility.Person{Login: "x", Role: role}
		if p.Assignable() == (role == facility.RoleViewer) {
			t.Errorf("%s assignable: %v", role, p.Assignable())
		}
		if p.Disabled = true; p.Assignable() {
			t.Errorf("a disabled %s is assignable", role)
		}
	}
}
