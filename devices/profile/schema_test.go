package profile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gengfu/devices/profile"
)

const schemaFile = "../../configs/profiles/schema.json"

func readSchema(t *testing.T) (raw map[string]any, compiled *jsonschema.Schema) {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	if compiled, err = c.Compile("schema.json"); err != nil {
		t.Fatal(err)
	}
	return raw, compiled
}

// asJSON is what an editor sees of a file.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(stringKeys(v))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func stringKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, each := range v {
			v[k] = stringKeys(each)
		}
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, each := range v {
			out[fmt.Sprint(k)] = stringKeys(each)
		}
		return out
	case []any:
		for i, each := range v {
			v[i] = stringKeys(each)
		}
	}
	return v
}

func TestFilesFitTheSchema(t *testing.T) {
	_, schema := readSchema(t)
	files, err := filepath.Glob("../../configs/profiles/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles found: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("# yaml-language-server: $schema=schema.json\n")) {
			t.Errorf("%s does not name the schema in its first line", file)
		}
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Each key that a file may have stands in the schema with its meaning, and no other.
func TestSchemaHasTheKeysOfProfiles(t *testing.T) {
	raw, _ := readSchema(t)
	at := func(path ...string) map[string]any {
		v := raw
		for _, key := range path {
			next, ok := v[key].(map[string]any)
			if !ok {
				t.Fatalf("the schema has no %s", strings.Join(path, "."))
			}
			v = next
		}
		return v
	}
	for _, c := range []struct {
		of   any
		path []string
	}{
		{profile.Profile{}, []string{"properties"}},
		{profile.Point{}, []string{"$defs", "point", "properties"}},
		{profile.Mark{}, []string{"properties", "identify", "items", "properties"}},
		{profile.Limits{}, []string{"properties", "limits", "properties"}},
		{profile.Range{}, []string{"properties", "limits", "properties", "forbidden", "items", "properties"}},
		{profile.Dialect{}, []string{"properties", "cjt188", "properties"}},
		{profile.Golden{}, []string{"properties", "golden", "items", "properties"}},
		{profile.Persona{}, []string{"properties", "persona", "properties"}},
	} {
		var want []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(c.of)) {
			want = append(want, f.Tag.Get("yaml"))
		}
		slices.Sort(want)
		properties := at(c.path...)
		if got := slices.Sorted(maps.Keys(properties)); !slices.Equal(got, want) {
			t.Errorf("%T has the keys %q, the schema %q", c.of, want, got)
		}
		for key, p := range properties {
			if described, ok := p.(map[string]any)["description"].(string); !ok || described == "" {
				t.Errorf("%s.%s is not described", strings.Join(c.path, "."), key)
			}
		}
	}
	var symbols []string
	for _, u := range at("$defs", "point", "properties", "unit")["enum"].([]any) {
		symbols = append(symbols, u.(string))
	}
	if !slices.Equal(symbols, profile.Units()) {
		t.Errorf("the units are %q, in the schema %q", profile.Units(), symbols)
	}
}

// What an editor underlines is what the program refuses too.
func TestSchemaRefusesWhatValidateRefuses(t *testing.T) {
	_, schema := readSchema(t)
	const meter = "{id: x, name: x, kind: water_meter, source: x, "
	for name, text := range map[string]string{
		"a key that there is not":  meter + "colour: red, points: [{id: a, name: a, kind: measure, table: input, address: 0, type: u16}]}",
		"no points":                meter + "points: []}",
		"no register":              meter + "points: [{id: a, name: a, kind: measure, type: u16}]}",
		"an item of Modbus":        meter + "points: [{id: a, name: a, kind: measure, table: input, address: 0, item: '901F'}]}",
		"a register of a meter":    meter + "protocol: mbus, points: [{id: a, name: a, kind: measure, value: power, table: input}]}",
		"a meter without an item":  meter + "protocol: dlt645, points: [{id: a, name: a, kind: measure}]}",
		"an item without quotes":   meter + "protocol: dlt645, points: [{id: a, name: a, kind: measure, unit: kWh, item: 00010000}]}",
		"a format that is none":    meter + "protocol: dlt645, points: [{id: a, name: a, kind: measure, item: '0E000001', format: decimal 3}]}",
		"a dialect of Modbus":      meter + "cjt188: {}, points: [{id: a, name: a, kind: measure, table: input, address: 0, type: u16}]}",
		"a unit that is not known": meter + "points: [{id: a, name: a, kind: measure, unit: kwh, table: input, address: 0, type: u16}]}",
		"an address of a manual":   meter + "points: [{id: a, name: a, kind: measure, table: input, address: 300001, type: u16}]}",
		"a width without a bit":    meter + "points: [{id: a, name: a, kind: measure, table: input, address: 0, type: u16, width: 2}]}",
	} {
		if schema.Validate(asJSON(t, []byte(text))) == nil {
			t.Errorf("%s passes the schema", name)
		}
		var p profile.Profile
		err := yaml.NewDecoder(strings.NewReader(text), yaml.DisallowUnknownField()).Decode(&p)
		if err == nil && len(p.Validate()) == 0 {
			t.Errorf("%s passes Validate", name)
		}
	}
}
