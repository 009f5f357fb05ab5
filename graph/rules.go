package graph

import (
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// rulesFor returns the rules of validation. With suggest they help with a misspelt name; without, a server that does
// not tell its schema does not tell it name by name either.
//
// Two rules of gqlparser are left out. MaxIntrospectionDepth takes time that doubles with each fragment; meter bounds
// the same. ValuesOfCorrectType repeats what was sent; literals takes its place.
func rulesFor(suggest bool) *rules.Rules {
	fields, leafs := rules.FieldsOnCorrectTypeRule, rules.ScalarLeafsRule
	arguments, types := rules.KnownArgumentNamesRule, rules.KnownTypeNamesRule
	if !suggest {
		fields, leafs = rules.FieldsOnCorrectTypeRuleWithoutSuggestions, rules.ScalarLeafsRuleWithoutSuggestions
		arguments, types = rules.KnownArgumentNamesRuleWithoutSuggestions, rules.KnownTypeNamesRuleWithoutSuggestions
	}
	return rules.NewRules(
		fields,
		rules.FragmentsOnCompositeTypesRule,
		arguments,
		rules.KnownDirectivesRule,
		rules.KnownFragmentNamesRule,
		rules.KnownRootTypeRule,
		types,
		rules.LoneAnonymousOperationRule,
		rules.NoFragmentCyclesRule,
		rules.NoUndefinedVariablesRule,
		rules.NoUnusedFragmentsRule,
		rules.NoUnusedVariablesRule,
		rules.PossibleFragmentSpreadsRule,
		rules.ProvidedRequiredArgumentsRule,
		leafs,
		rules.SingleFieldSubscriptionsRule,
		rules.UniqueArgumentNamesRule,
		rules.UniqueDirectivesPerLocationRule,
		rules.UniqueFragmentNamesRule,
		rules.UniqueInputFieldNamesRule,
		rules.UniqueOperationNamesRule,
		rules.UniqueVariableNamesRule,
		core.Rule{Name: "ValuesOfCorrectType", RuleFunc: literals(suggest)},
		rules.VariablesAreInputTypesRule,
		rules.VariablesInAllowedPositionRule,
	)
}
