package graph

import (
	"fmt"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
	"latchkey/graph/scalar"
)

// coerceVariables turns the variables of a request into what the operation declares (section 6.1.2 of the
// specification), or says what is wrong with them, one error a variable. An error names the variable, where in it the
// mistake is, and what is expected there; it never shows what was sent.
//
// It takes the place of gqlparser's function, which lets "10" pass for an Int and 1.5 for an ID, and repeats values.
func coerceVariables(schema *ast.Schema, d *document, op *ast.OperationDefinition, given map[string]any) (map[string]any, gqlerror.List) {
	var coerced map[string]any
	if len(op.VariableDefinitions) > 0 {
		coerced = make(map[string]any, len(op.VariableDefinitions))
	}
	var errs gqlerror.List
	for _, def := range op.VariableDefinitions {
		v, ok := given[def.Variable]
		switch {
		case !ok && def.DefaultValue != nil:
			// It was checked with the document.
			value, err := def.DefaultValue.Value(nil)
			if err == nil {
				coerced[def.Variable] = value
			}
			continue
		case !ok && def.Type.NonNull:
			errs = append(errs, problem(fault.KindValidationFailed,
				fmt.Sprintf(`Variable "$%s" of required type "%s" was not provided.`, def.Variable, def.Type), def.Position))
			continue
		case !ok:
			continue
		}
		c := coercer{schema: schema}
		value, err := c.value(def.Type, v, "")
		if err != nil {
			errs = append(errs, problem(fault.KindValidationFailed,
				fmt.Sprintf(`Variable "$%s" got an invalid value%s: %s.`, def.Variable, err.where(), err.text), def.Position))
			continue
		}
		coerced[def.Variable] = value
	}
	if errs == nil {
		errs = checkConditions(d, op, coerced)
	}
	return coerced, errs
}

// checkConditions refuses null for a variable that decides about @skip or @include. A variable that may be null can
// stand there if it has a default, and the executor has no answer to it.
func checkConditions(d *document, op *ast.OperationDefinition, coerced map[string]any) gqlerror.List {
	var errs gqlerror.List
	for _, name := range d.conditions[op] {
		if _, ok := coerced[name].(bool); !ok {
			errs = append(errs, problem(fault.KindValidationFailed,
				fmt.Sprintf(`Variable "$%s" decides about a directive and must not be null.`, name),
				op.VariableDefinitions.ForName(name).Position))
		}
	}
	return errs
}

// mismatch says what is expected at a place within a variable.
type mismatch struct {
	path string
	text string
}

func (m *mismatch) where() string {
	if m.path == "" {
		return ""
	}
	return " at " + strconv.Quote(m.path)
}

type coercer struct {
	schema *ast.Schema
}

func (c coercer) value(typ *ast.Type, v any, path string) (any, *mismatch) {
	if v == nil {
		if typ.NonNull {
			return nil, &mismatch{path, fmt.Sprintf("Expected type %q to not be null", typ)}
		}
		return nil, nil
	}
	if typ.Elem != nil {
		return c.list(typ, v, path)
	}
	def := c.schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.Enum:
		name, ok := v.(string)
		if !ok || def.EnumValues.ForName(name) == nil {
			return nil, &mismatch{path, fmt.Sprintf("Enum %q cannot represent a value that is not one of its names", def.Name)}
		}
		return name, nil
	case ast.InputObject:
		return c.object(def, v, path)
	default:
		if err := scalar.Check(def.Name, v); err != nil {
			return nil, &mismatch{path, err.Error()}
		}
		return v, nil
	}
}

// list coerces a list; a single value stands for a list of one.
func (c coercer) list(typ *ast.Type, v any, path string) (any, *mismatch) {
	values, ok := v.([]any)
	if !ok {
		one, err := c.value(typ.Elem, v, path)
		return []any{one}, err
	}
	coerced := make([]any, len(values))
	for i, v := range values {
		one, err := c.value(typ.Elem, v, path+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		coerced[i] = one
	}
	return coerced, nil
}

// object coerces an input object. Defaults of absent fields are filled in by the generated code.
func (c coercer) object(def *ast.Definition, v any, path string) (any, *mismatch) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, &mismatch{path, fmt.Sprintf("Expected type %q to be an object", def.Name)}
	}
	coerced := make(map[string]any, len(fields))
	for _, field := range def.Fields {
		v, ok := fields[field.Name]
		if !ok {
			if isRequired(field) {
				return nil, &mismatch{path, fmt.Sprintf("Field %q of required type %q was not provided", field.Name, field.Type)}
			}
			continue
		}
		value, err := c.value(field.Type, v, join(path, field.Name))
		if err != nil {
			return nil, err
		}
		coerced[field.Name] = value
	}
	if len(coerced) < len(fields) {
		// Which one is not said: a name in a variable is something that was sent.
		return nil, &mismatch{path, fmt.Sprintf("An object has a field that type %q does not define", def.Name)}
	}
	if def.Directives.ForName("oneOf") != nil && !isOne(coerced) {
		return nil, &mismatch{path, fmt.Sprintf("Exactly one key must be specified for OneOf type %q, and not null", def.Name)}
	}
	return coerced, nil
}

func isOne(fields map[string]any) bool {
	for _, v := range fields {
		return len(fields) == 1 && v != nil
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
