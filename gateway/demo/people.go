package demo

import (
	"strings"

	"gengfu/facility"
)

// Login is a person of the demo estate with a password that everybody may know.
type Login struct {
	Person   facility.Person
	Password string
}

// People returns who works at the demo estate, the administrator first.
func People() []Login {
	return []Login{
		{facility.Person{Login: "admin", Name: "管理员", Role: facility.RoleAdmin}, "gengfu-admin"},
		{facility.Person{Login: "wang", Name: "王经理", Role: facility.RoleManager, Phone: "13800000001"}, "gengfu-wang"},
		{facility.Person{Login: "li", Name: "李姐", Role: facility.RoleDesk, Phone: "13800000002"}, "gengfu-li"},
		{facility.Person{Login: "zhang", Name: "张师傅", Role: facility.RoleTechnician, Phone: "13800000003"}, "gengfu-zhang"},
		{facility.Person{Login: "chen", Name: "陈师傅", Role: facility.RoleTechnician, Phone: "13800000004"}, "gengfu-chen"},
		{facility.Person{Login: "zhao", Name: "赵队", Role: facility.RoleGuard, Phone: "13800000005", Badges: []string{"04A1B2C3D4E5F6"}}, "gengfu-zhao"},
		{facility.Person{Login: "sun", Name: "小孙", Role: facility.RoleGuard, Phone: "13800000006", Badges: []string{"0473C1F24B6180"}}, "gengfu-sun"},
		{facility.Person{Login: "guest", Name: "访客", Role: facility.RoleViewer}, "gengfu-guest"},
	}
}

// badge returns the UID of a person by login or name, or the UID itself.
func badge(who string) (string, bool) {
	for _, p := range People() {
		if (strings.EqualFold(p.Person.Login, who) || p.Person.Name == who) && len(p.Person.Badges) > 0 {
			return p.Person.Badges[0], true
		}
	}
	uid, err := facility.NormaliseUID(who)
	return uid, err == nil
}
