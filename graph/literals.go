package graph

import (
	"encoding/json"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"

	"latchkey/graph/scalar"
)

// literals is the rule that the values which stand in a document fit their types (section 5.6.1 of the
// specification). Its messages name types and fields of the schema and never the value.
func literals(suggest bool) core.RuleFunc {
	return func(observers *core.Events, addError core.AddErrFunc) {
		observers.OnValue(func(_ *core.Walker, value *ast.Value) {
			if value.Definition == nil || value.ExpectedType == nil || value.Kind == ast.Variable {
				return
			}
			l := literal{value: value, suggest: suggest, addError: addError}
			l.check()
		})
	}
}

type literal struct {
	value    *ast.Value
	suggest  bool
	addError core.AddErrFunc
}

func (l literal) fail(format string, args ...any) {
	l.addError(core.Message(format, args...), core.At(l.value.Position))
}

func (l literal) check() {
	value, def := l.value, l.value.Definition
	switch {
	case value.Kind == ast.NullValue:
		if value.ExpectedType.NonNull {
			l.fail(`Expected value of type "%s", found null.`, value.ExpectedType)
		}
	case value.Kind == ast.ListValue && value.ExpectedType.Elem != nil:
		// Its elements are checked one by one.
	case value.Kind == ast.ListValue:
		l.fail(`Expected value of type "%s", found a list.`, value.ExpectedType)
	case def.Kind == ast.Enum:
		l.enum(def)
	case def.Kind == ast.InputObject:
		l.object(def)
	case def.Kind == ast.Scalar:
		if err := scalarLiteral(def.Name, value); err != nil {
			l.fail("%s.", err.Error())
		}
	}
}

func (l literal) enum(def *ast.Definition) {
	if l.value.Kind == ast.EnumValue && def.EnumValues.ForName(l.value.Raw) != nil {
		return
	}
	message := core.Message(`Enum "%s" cannot represent a value that is not one of its names.`, def.Name)
	if !l.suggest {
		l.addError(message, core.At(l.value.Position))
		return
	}
	var names []string
	for _, one := range def.EnumValues {
		names = append(names, one.Name)
	}
	l.addError(message, core.SuggestListQuoted("Did you mean the enum value", l.value.Raw, names), core.At(l.value.Position))
}

func (l literal) object(def *ast.Definition) {
	if l.value.Kind != ast.ObjectValue {
		l.fail(`Expected value of type "%s", found another.`, def.Name)
		return
	}
	for _, field := range def.Fields {
		if isRequired(field) && l.value.Children.ForName(field.Name) == nil {
			l.fail(`Field "%s.%s" of required type "%s" was not provided.`, def.Name, field.Name, field.Type)
		}
	}
	for _, child := range l.value.Children {
		if def.Fields.ForName(child.Name) != nil {
			continue
		}
		message := core.Message(`Field "%s" is not defined by type "%s".`, child.Name, def.Name)
		if !l.suggest {
			l.addError(message, core.At(child.Position))
			continue
		}
		var names []string
		for _, field := range def.Fields {
			names = append(names, field.Name)
		}
		l.addError(message, core.SuggestListQuoted("Did you mean", child.Name, names), core.At(child.Position))
	}
	if def.Directives.ForName("oneOf") == nil {
		return
	}
	if len(l.value.Children) != 1 || l.value.Children[0].Value.Kind == ast.NullValue {
		l.fail(`OneOf Input Object "%s" must specify exactly one key, and not null.`, def.Name)
	}
}

// isRequired reports whether a field of an input object must be given.
func isRequired(field *ast.FieldDefinition) bool {
	return field.Type.NonNull && field.DefaultValue == nil
}

// scalarLiteral returns an error when a literal is not of the scalar. The form counts before the value: 1.0 is no Int
// here, and "1" is none anywhere.
func scalarLiteral(name string, value *ast.Value) error {
	var v any
	switch value.Kind {
	case ast.StringValue, ast.BlockValue:
		v = value.Raw
	case ast.IntValue:
		v = json.Number(value.Raw)
	case ast.BooleanValue:
		v = value.Raw == "true"
	}
	return scalar.Check(name, v)
}
