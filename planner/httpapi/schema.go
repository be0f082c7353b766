package httpapi

import (
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"time"
)

// schemas are the JSON Schemas of Go types as encoding/json writes them.
type schemas struct {
	named object // structs, by package and name
}

func newSchemas() *schemas { return &schemas{named: object{}} }

// of is the schema of v's type.
func (s *schemas) of(v any) object { return s.schema(reflect.TypeOf(v)) }

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

func (s *schemas) schema(t reflect.Type) object {
	switch t {
	case timeType:
		return object{"type": "string", "format": "date-time"}
	case rawType:
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []object{s.schema(t.Elem()), {"type": "null"}}}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if t == reflect.TypeFor[time.Duration]() {
			return object{"type": "integer", "description": "nanoseconds"}
		}
		return object{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": s.schema(t.Elem())}
	case reflect.Array:
		return object{"type": "array", "items": s.schema(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": s.schema(t.Elem())}
	case reflect.Struct:
		if t.Name() == "" {
			return s.structure(t)
		}
		name := path.Base(t.PkgPath()) + "." + t.Name()
		if _, ok := s.named[name]; !ok {
			s.named[name] = object{} // for types that contain themselves
			s.named[name] = s.structure(t)
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{} // an interface: anything
}

// structure has the fields of t; those of embedded structs are its own.
func (s *schemas) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.fields(t, properties, &required)
	return object{"type": "object", "properties": properties, "required": required}
}

func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	// Of fields with one name the shallowest is written: the struct's own come before
	// those of what it embeds.
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			embedded = append(embedded, f.Type)
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		if _, ok := properties[name]; ok {
			continue
		}
		schema := s.schema(f.Type)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if optional && f.Type.Kind() == reflect.Pointer {
			schema = s.schema(f.Type.Elem()) // absent instead of null
		}
		properties[name] = schema
		if !optional {
			*required = append(*required, name)
		}
	}
	for _, e := range embedded {
		s.fields(e, properties, required)
	}
}
