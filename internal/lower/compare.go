package lower

import "github.com/litequant/litequant/internal/schema"

var compareRules = table{
	"Equal":        predicate(schema.EQUAL, 2),
	"NotEqual":     predicate(schema.NOT_EQUAL, 2),
	"Less":         predicate(schema.LESS, 2),
	"LessEqual":    predicate(schema.LESS_EQUAL, 2),
	"Greater":      predicate(schema.GREATER, 2),
	"GreaterEqual": predicate(schema.GREATER_EQUAL, 2),
	"LogicalAnd":   predicate(schema.LOGICAL_AND, 2),
	"LogicalOr":    predicate(schema.LOGICAL_OR, 2),
	"LogicalNot":   predicate(schema.LOGICAL_NOT, 1),
}
