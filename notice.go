// Package trainer holds what belongs to the module as a whole.
package trainer

import _ "embed"

// Notice is the licences of all that is linked into the trainer. Some of them want to be
// passed on with a binary.
//
//go:embed NOTICE
var Notice string
