package scan

// Kind is the kind of a JSON value.
type Kind uint8

const (
	Invalid Kind = iota // no value starts here
	Null
	Bool
	Number
	String
	Array
	Object
)

// String returns the kind's name as it stands in errors.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "bool"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	case Invalid:
	}
	return "nothing valid"
}
