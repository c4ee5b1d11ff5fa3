package config

import (
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"gengfu/facility"
)

// Finding is a problem with the place in the file where it stands.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0 when it concerns the whole file
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	What    string `json:"what"`
	Cure    string `json:"cure,omitempty"`
	Excerpt string `json:"excerpt,omitempty"` // the line as it was written
}

// String is the finding as compilers write theirs: "file:line:column: what".
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.What)
	if f.Excerpt != "" {
		fmt.Fprintf(&b, "\n    %s", f.Excerpt)
	}
	if f.Cure != "" {
		fmt.Fprintf(&b, "\n    → %s", f.Cure)
	}
	return b.String()
}

// Report is everything that was found wrong, in the order of the files.
type Report []Finding

func (r Report) Error() string {
	lines := make([]string, len(r))
	for i, f := range r {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// document is one YAML file with its syntax tree, so that a problem found in the
// decoded value can still be shown where it was written.
type document struct {
	name  string
	like  string // the file that shows how such a one is written
	lines []string
	root  ast.Node
}

// decode reads one YAML document strictly into v: unknown and double keys are
// findings, all of them at once.
func decode(name string, data []byte, v any) (*document, Report) {
	return decodeLike("configs/example.yaml", name, data, v)
}

// decodeLike does so for what is written as in another file than the example.
func decodeLike(like, name string, data []byte, v any) (d *document, report Report) {
	d = &document{name: name, like: like, lines: strings.Split(string(data), "\n")}
	defer func() {
		// The parser panics on some texts that are no YAML.
		if p := recover(); p != nil {
			report = Report{{File: name, What: fmt.Sprintf("The file cannot be read as YAML (%v).", p), Cure: "Check the indentation, the quotes and the brackets."}}
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return d, Report{d.fromYAML(err)}
	}
	var full []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			full = append(full, doc.Body)
		}
	}
	switch len(full) {
	case 0:
		return d, Report{{File: name, What: "The file is empty.", Cure: "Start from " + like + "."}}
	case 1:
		d.root = full[0]
	default:
		return d, Report{d.at(full[1], "", "A second document begins here.", "Keep one document in a file: remove the line “---”.")}
	}
	if r := d.compare(d.root, reflect.TypeOf(v), ""); len(r) > 0 {
		return d, r
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)), yaml.DisallowUnknownField())
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return d, Report{d.fromYAML(err)}
	}
	return d, nil
}

// find turns problems of the decoded value into findings with their positions.
func (d *document) find(problems []facility.Problem) Report {
	var out Report
	for _, p := range problems {
		n := d.node(p.Path)
		f := d.at(n, p.Path, p.What, p.Cure)
		if p.At > 0 {
			f.Column += d.within(n, f, p.At)
		}
		out = append(out, f)
	}
	return out
}

// within returns how many columns behind the beginning of a text its character at
// the index stands, or 0 when the text is of several lines.
func (d *document) within(n ast.Node, f Finding, index int) int {
	text, ok := n.(*ast.StringNode)
	if !ok || f.Line < 1 || f.Line > len(d.lines) {
		return 0
	}
	line := []rune(d.lines[f.Line-1])
	if t := text.GetToken().Type; t == token.DoubleQuoteType || t == token.SingleQuoteType {
		index++
	}
	if f.Column-1+index >= len(line) || !strings.Contains(string(line), text.Value) {
		return 0
	}
	return index
}

// node returns the node at the path or, where the path leads to something that
// was left out, the nearest node above it.
func (d *document) node(p string) ast.Node {
	n := d.root
	for _, step := range steps(p) {
		var next ast.Node
		switch t := unwrap(n).(type) {
		case *ast.MappingNode:
			for _, kv := range t.Values {
				if kv.Key.String() == step {
					next = kv.Value
				}
			}
		case *ast.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(t.Values) {
				next = t.Values[i]
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// steps splits "lines[0].serial.baud" into its steps.
func steps(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// unwrap brings the forms in which a mapping can stand to one.
func unwrap(n ast.Node) ast.Node {
	switch t := n.(type) {
	case *ast.MappingValueNode:
		return &ast.MappingNode{BaseNode: t.BaseNode, Values: []*ast.MappingValueNode{t}}
	case *ast.AnchorNode:
		return unwrap(t.Value)
	case *ast.TagNode:
		return unwrap(t.Value)
	}
	return n
}

func (d *document) at(n ast.Node, p, what, cure string) Finding {
	f := Finding{File: d.name, Path: p, What: what, Cure: cure}
	if n == nil {
		return f
	}
	if m, ok := unwrap(n).(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	tk := n.GetToken()
	if tk == nil || tk.Position == nil {
		return f
	}
	return d.position(f, tk.Position.Line, tk.Position.Column)
}

func (d *document) position(f Finding, line, column int) Finding {
	f.Line, f.Column = line, column
	if line >= 1 && line <= len(d.lines) {
		f.Excerpt = strings.TrimSpace(d.lines[line-1])
	}
	return f
}

func (d *document) fromYAML(err error) Finding {
	var y yaml.Error
	if !errors.As(err, &y) {
		return Finding{File: d.name, What: sentence(err.Error())}
	}
	f := Finding{File: d.name, What: sentence(y.GetMessage()), Cure: d.cureFor(y.GetMessage())}
	if types := misfit.FindStringSubmatch(y.GetMessage()); types != nil {
		f.What = fmt.Sprintf("Here stands %s where %s is expected.", kindOf(types[1]), kindOf(types[2]))
	}
	if tk := y.GetToken(); tk != nil && tk.Position != nil {
		f = d.position(f, tk.Position.Line, tk.Position.Column)
	}
	return f
}

// misfit is what the decoder says of a value that is none of its key.
var misfit = regexp.MustCompile(`^cannot unmarshal (.+) into Go .* of type (\S+)$`)

// kindOf names a type of Go in a sentence.
func kindOf(name string) string {
	switch {
	case name == "string":
		return "a text"
	case name == "bool":
		return "true or false"
	case strings.HasPrefix(name, "[]"):
		return "a list"
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"), strings.HasPrefix(name, "float"):
		return "a number"
	}
	return "a mapping"
}

func (d *document) cureFor(message string) string {
	switch {
	case strings.Contains(message, "cannot unmarshal"):
		return "Write a value of the kind that stands at this key in " + d.like + "."
	case strings.Contains(message, "duplicate"), strings.Contains(message, "already defined"):
		return "Keep one of the two."
	}
	return "Check the indentation (spaces, never tabs), the quotes and the brackets in this line and the one before."
}

// sentence makes a library's message read like ours.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

var duration = reflect.TypeFor[time.Duration]()

// compare holds what was written against the type that it is meant for: unknown
// keys, and durations that are none, about which the decoder forgets the place.
func (d *document) compare(n ast.Node, t reflect.Type, p string) Report {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if tag, ok := n.(*ast.TagNode); ok && t.Kind() == reflect.String {
		return Report{d.at(tag, p, fmt.Sprintf("%q is a tag of YAML here and no text.", tag.Start.Value), "Put all of it in quotes; of a condition, write not instead of !.")}
	}
	var out Report
	switch node := unwrap(n).(type) {
	case ast.ScalarNode:
		if _, err := time.ParseDuration(fmt.Sprint(node.GetValue())); t == duration && err != nil && node.Type() != ast.NullType {
			out = append(out, d.at(node, p, fmt.Sprintf("%q is not a duration.", fmt.Sprint(node.GetValue())), "Write a number with its unit, as 500ms, 10s, 45m or 2h."))
		}
	case *ast.MappingNode:
		for _, kv := range node.Values {
			key := kv.Key.String()
			here := strings.TrimPrefix(p+"."+key, ".")
			switch t.Kind() {
			case reflect.Struct:
				known := keysOf(t)
				if field, ok := known[key]; ok {
					out = append(out, d.compare(kv.Value, field, here)...)
				} else if len(known) > 0 {
					out = append(out, d.at(kv.Key, "", fmt.Sprintf("Unknown key %q.", here), suggest(key, known)))
				}
			case reflect.Map:
				out = append(out, d.compare(kv.Value, t.Elem(), here)...)
			}
		}
	case *ast.SequenceNode:
		if t.Kind() == reflect.Slice {
			for i, v := range node.Values {
				out = append(out, d.compare(v, t.Elem(), fmt.Sprintf("%s[%d]", p, i))...)
			}
		}
	}
	return out
}

// keysOf returns the YAML keys of a struct with the types of their values.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case strings.Contains(opts, "inline"):
			for k, v := range keysOf(f.Type) {
				keys[k] = v
			}
		case name == "":
			keys[strings.ToLower(f.Name)] = f.Type
		default:
			keys[name] = f.Type
		}
	}
	return keys
}

func suggest(key string, known map[string]reflect.Type) string {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	if near := facility.Nearest(key, names); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	return "Remove it, or write one of: " + list(names) + "."
}

// base is the name of a built-in file without folder and ending.
func base(name string) string { return strings.TrimSuffix(path.Base(name), ".yaml") }

// list writes names as one sorted enumeration.
func list(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
