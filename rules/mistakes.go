package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// unknown says what else the rule itself could have meant.
func (b *builder) unknown(name string, m *mistake) *mistake {
	own := make([]string, 0, len(b.limits)+len(b.groups))
	for l := range b.limits {
		own = append(own, l)
	}
	for g := range b.groups {
		own = append(own, g)
	}
	slices.Sort(own)
	if near := facility.Nearest(name, own); near != "" && !strings.Contains(m.cure, "Did you mean") {
		m.cure = fmt.Sprintf("Did you mean %q? %s", near, m.cure)
	}
	return m
}

func (b *builder) noGroup(group, quantity string) mistake {
	m := mistake{what: fmt.Sprintf("The rule has no group %q.", group), cure: "Add it to groups, with the devices that it means."}
	if _, ok := b.limits[quantity]; ok && group == "limits" {
		m.cure = fmt.Sprintf("Limits are named alone: %s.", quantity)
		return m
	}
	names := make([]string, 0, len(b.groups))
	for g := range b.groups {
		names = append(names, g)
	}
	slices.Sort(names)
	if near := facility.Nearest(group, names); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q?", near)
	} else if slices.Contains(b.catalogue.ids, group) {
		m.cure = fmt.Sprintf("A device is asked by name: value(%q).", group+"/"+quantity)
	}
	return m
}

// quotedText says what is wrong with a text that is compared with something.
func (b *builder) quotedText(text, with ast.Node) mistake {
	m := mistake{what: fmt.Sprintf("%s is a text in quotes.", text.String()), cure: "Write numbers, and words such as good, without quotes. A state is compared by its number, as mode == 2."}
	name, ok := with.(*ast.IdentifierNode)
	if !ok {
		return m
	}
	labels := b.catalogue.points[facility.PointID{Device: b.device.ID, Quantity: name.Value}].Labels
	if len(labels) == 0 {
		return m
	}
	words := make([]string, 0, len(labels))
	for _, v := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, fmt.Sprintf("%d %s", v, cmp.Or(labels[v].EN, labels[v].ZH)))
	}
	m.cure = fmt.Sprintf("Write its number: %s is %s.", name.Value, strings.Join(words, ", "))
	return m
}
