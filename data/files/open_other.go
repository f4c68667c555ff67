//go:build !unix

package files

// nonBlocking does nothing: paths name no pipes on this system.
const nonBlocking = 0
