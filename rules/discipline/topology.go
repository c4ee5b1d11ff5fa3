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

// Links is what the configuration knows of the estate beside facility.Estate.
type Links struct {
	Gateways map[string]string // line -> the gateway that reads it
	// DependsOn says through which devices something is fed: a device by its id, a
	// line (its converter) as "line/ID", a place with all that is in it as "place/ID".
	DependsOn map[string][]string
}

// Topology says what hangs on what. It does not change and may be shared.
type Topology struct {
	above map[Node][]Node // all ancestors, sorted; every node has an entry
}

// NewTopology makes the topology of the estate. It fails with facility.ErrInvalid when
// a link names something that does not exist, or when supplies feed each other in a
// circle.
func NewTopology(e facility.Estate, links Links) (*Topology, error) {
	parents := map[Node][]Node{}
	for _, p := range e.Places {
		parents[Node{Place, p.ID}] = nil
	}
	for _, d := range e.Devices {
		n := Node{DeviceAt, d.ID}
		parents[n], parents[Node{Supply, d.ID}] = nil, nil
		if d.Place != "" {
			parents[n] = append(parents[n], Node{Place, d.Place})
		}
		if d.Line != "" {
			parents[n] = append(parents[n], Node{Line, d.Line})
			parents[Node{Line, d.Line}] = nil
		}
	}
	for _, r := range e.Readers {
		if r.Line != "" {
			parents[Node{Line, r.Line}] = nil
		}
	}
	for line, gateway := range links.Gateways {
		if gateway == "" {
			return nil, fmt.Errorf("line %s: its gateway has no id: %w", line, facility.ErrInvalid)
		}
		n := Node{Line, line}
		parents[n] = append(parents[n], Node{Gateway, gateway})
		parents[Node{Gateway, gateway}] = nil
	}
	if err := feed(parents, links.DependsOn); err != nil {
		return nil, err
	}
	return closure(parents)
}

// feed adds what hangs on which supply.
func feed(parents map[Node][]Node, dependsOn map[string][]string) error {
	for _, id := range sortedKeys(dependsOn) {
		n := Node{DeviceAt, id}
		if kind, name, ok := strings.Cut(id, "/"); ok {
			n = Node{NodeKind(kind), name}
		}
		if _, ok := parents[n]; !ok || n.Kind == Gateway || n.Kind == Supply {
			return fmt.Errorf("depends_on: there is no %s: %w", n, facility.ErrInvalid)
		}
		for _, by := range dependsOn[id] {
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
	}
	return nil
}

// closure makes all ancestors of direct ones.
func closure(parents map[Node][]Node) (*Topology, error) {
	t := &Topology{above: make(map[Node][]Node, len(parents))}
	var visit func(n Node, path []Node) error
	visit = func(n Node, path []Node) error {
		if _, ok := t.above[n]; ok {
			return nil
		}
		if slices.Contains(path, n) {
			return fmt.Errorf("depends_on: %s is fed by itself, by way of %v: %w", n, path, facility.ErrInvalid)
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
	}
	return t, nil
}

// Has reports whether the node exists.
func (t *Topology) Has(n Node) bool { _, ok := t.above[n]; return ok }

// Above returns everything that the node hangs on, directly or not, sorted. It is not
// to be changed.
func (t *Topology) Above(n Node) []Node { return t.above[n] }
