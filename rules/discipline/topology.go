package discipline

import (
	"fmt"
	"slices"
	"strings"

	"gengfu/facility"
)

// Node is something of the estate that can be down. The zero value is nothing.
type Node struct {
	Kind NodeKind
	ID   string
}

// NodeKind is what a node is.
type NodeKind string

// The kinds.
const (
	Gateway  NodeKind = "gateway"
	Line     NodeKind = "line"
	Place    NodeKind = "place"
	DeviceAt NodeKind = "device" // it cannot be read
	Supply   NodeKind = "supply" // what is fed through this device is without power
)

func (n Node) String() string { return string(n.Kind) + "/" + n.ID }

func (n Node) compare(o Node) int { return strings.Compare(n.String(), o.String()) }

// Topology says what hangs on what. It does not change and may be shared.
type Topology struct {
	above  map[Node][]Node     // all ancestors, sorted; every node has an entry
	below  map[Node][]Node     // the other way round
	lines  map[string][]string // the devices of each line
	lineOf map[string]string   // the line of a device
}

// CircleError says that a supply feeds itself.
type CircleError struct {
	Device string // whose supply it is
	Path   []Node // by way of
}

func (e *CircleError) Error() string {
	return fmt.Sprintf("depends_on: %s is fed by itself, by way of %v", e.Device, e.Path)
}

// Unwrap makes it a facility.ErrInvalid.
func (e *CircleError) Unwrap() error { return facility.ErrInvalid }

// NewTopology makes the topology of the estate: a device hangs on its line and its
// place, a line on its gateway, and each of them on what it is fed through. It fails
// with facility.ErrInvalid when something is fed through a device that does not exist,
// and with a CircleError when supplies feed each other in a circle.
func NewTopology(e facility.Estate) (*Topology, error) {
	parents := map[Node][]Node{}
	lines, lineOf := map[string][]string{}, map[string]string{}
	for _, p := range e.Places {
		parents[Node{Place, p.ID}] = nil
	}
	for _, l := range e.Lines {
		n := Node{Line, l.ID}
		parents[n] = nil
		if l.Gateway != "" {
			parents[n] = append(parents[n], Node{Gateway, l.Gateway})
			parents[Node{Gateway, l.Gateway}] = nil
		}
	}
	for _, d := range e.Devices {
		n := Node{DeviceAt, d.ID}
		parents[n], parents[Node{Supply, d.ID}] = nil, nil
		if d.Place != "" {
			parents[n] = append(parents[n], Node{Place, d.Place})
		}
		if d.Line != "" {
			parents[n] = append(parents[n], Node{Line, d.Line})
			lines[d.Line], lineOf[d.ID] = append(lines[d.Line], d.ID), d.Line
		}
	}
	if err := feed(parents, e); err != nil {
		return nil, err
	}
	t, err := closure(parents)
	if err != nil {
		return nil, err
	}
	t.lines, t.lineOf = lines, lineOf
	return t, nil
}

// feed adds what hangs on which supply.
func feed(parents map[Node][]Node, e facility.Estate) error {
	add := func(n Node, dependsOn []string) error {
		for _, by := range dependsOn {
			s := Node{Supply, by}
			if _, ok := parents[s]; !ok {
				return fmt.Errorf("depends_on of %s: there is no device %q: %w", n, by, facility.ErrInvalid)
			}
			parents[n] = append(parents[n], s)
			if n.Kind == DeviceAt && by != n.ID { // a meter may live on what it measures
				own := Node{Supply, n.ID}
				parents[own] = append(parents[own], s)
			}
		}
		return nil
	}
	for _, p := range e.Places {
		if err := add(Node{Place, p.ID}, p.DependsOn); err != nil {
			return err
		}
	}
	for _, l := range e.Lines {
		if err := add(Node{Line, l.ID}, l.DependsOn); err != nil {
			return err
		}
	}
	for _, d := range e.Devices {
		if err := add(Node{DeviceAt, d.ID}, d.DependsOn); err != nil {
			return err
		}
	}
	return nil
}

// closure makes all ancestors of direct ones.
func closure(parents map[Node][]Node) (*Topology, error) {
	t := &Topology{above: make(map[Node][]Node, len(parents)), below: map[Node][]Node{}}
	var visit func(n Node, path []Node) error
	visit = func(n Node, path []Node) error {
		if _, ok := t.above[n]; ok {
			return nil
		}
		if slices.Contains(path, n) {
			return &CircleError{Device: n.ID, Path: path}
		}
		path = append(path, n)
		var all []Node
		for _, p := range parents[n] {
			if err := visit(p, path); err != nil {
				return err
			}
			all = append(append(all, p), t.above[p]...)
		}
		slices.SortFunc(all, Node.compare)
		t.above[n] = slices.Compact(all)
		return nil
	}
	nodes := make([]Node, 0, len(parents))
	for n := range parents {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, Node.compare)
	for _, n := range nodes {
		if err := visit(n, nil); err != nil {
			return nil, err
		}
		for _, above := range t.above[n] {
			t.below[above] = append(t.below[above], n)
		}
	}
	return t, nil
}

// Has reports whether the node exists.
func (t *Topology) Has(n Node) bool { _, ok := t.above[n]; return ok }

// Line returns the line of a device, empty when it is on none.
func (t *Topology) Line(device string) string { return t.lineOf[device] }

// Above returns everything that the node hangs on, directly or not, sorted. It is not
// to be changed.
func (t *Topology) Above(n Node) []Node { return t.above[n] }

// linesOf returns the lines of which a device is at the nodes or hangs on them.
func (t *Topology) linesOf(nodes ...Node) (out []string) {
	add := func(n Node) {
		line := t.lineOf[n.ID]
		if n.Kind == Line {
			line = n.ID
		} else if n.Kind != DeviceAt {
			return
		}
		if line != "" && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	for _, n := range nodes {
		add(n)
		for _, below := range t.below[n] {
			add(below)
		}
	}
	return out
}
