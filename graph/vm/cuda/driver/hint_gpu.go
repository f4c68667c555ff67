//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

// Codes of CUresult that the Go side decides by.
const (
	codeSuccess        = 0
	codeOutOfMemory    = 2
	codeUnavailable    = 46
	codeNoDevice       = 100
	codeInvalidDevice  = 101
	codeNoBinary       = 209
	codeInvalidPTX     = 218
	codeUnsupportedPTX = 222
	codeNotFound       = 500
	codeNotReady       = 600
	codeTooManyBlocks  = 720
	codeNotSupported   = 801
	codeSystemNotReady = 802
	codeDriverMismatch = 803
	codeUnknown        = 999
)

// hint says what to do about a result code.
func hint(code int) string {
	switch code {
	case codeNoDevice:
		return "there is no NVIDIA GPU, or it is hidden (CUDA_VISIBLE_DEVICES, a container without --gpus)"
	case codeUnavailable:
		return "another program has the device to itself (compute mode exclusive)"
	case codeInvalidDevice:
		return "there is no device of that number: see `trainer devices`"
	case codeNoBinary, codeUnsupportedPTX:
		return "the driver is too old for this program: install a newer NVIDIA driver"
	case codeNotSupported:
		return "the driver or the device is too old for this: install a newer NVIDIA driver"
	case codeTooManyBlocks:
		return "the device does not hold the whole grid at once"
	case codeSystemNotReady:
		return "the GPU is still starting, or the NVIDIA fabric manager is not running"
	case codeDriverMismatch:
		return "the driver was updated while it was loaded: restart the computer"
	case codeUnknown:
		return "the driver's kernel module may be missing or just updated: try nvidia-smi, and restart the computer"
	}
	if sticky[code] {
		return "the device cannot be used again by this process"
	}
	return ""
}
