//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

// The values of CUresult that this package treats specially.
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

// hint returns what to do about a result code, or "".
func hint(code int) string {
	switch code {
	case codeNoDevice:
		return "there is no NVIDIA GPU, or it is hidden (CUDA_VISIBLE_DEVICES, a container without --gpus)"
	case codeUnavailable:
		return "another program uses the device exclusively (compute mode exclusive)"
	case codeInvalidDevice:
		return "there is no device with that number: see `trainer devices`"
	case codeNoBinary, codeUnsupportedPTX:
		return "the driver is too old for this program: install a newer NVIDIA driver"
	case codeNotSupported:
		return "the driver or the device is too old: install a newer NVIDIA driver"
	case codeTooManyBlocks:
		return "the device cannot hold the whole grid at once"
	case codeSystemNotReady:
		return "the GPU is still starting, or the NVIDIA fabric manager is not running"
	case codeDriverMismatch:
		return "the driver was updated while it was running: restart the computer"
	case codeUnknown:
		return "the driver's kernel module may be missing, or it was just updated: try nvidia-smi, then restart the computer"
	}
	if sticky[code] {
		return "the device cannot be used again by this process"
	}
	return ""
}

// sticky has the results after which every further call of the process fails
// (NVIDIA's description of CUresult: "the process must be terminated and
// relaunched"), and those that end the context in other ways.
var sticky = map[int]bool{
	214: true, // ECC_UNCORRECTABLE
	220: true, // NVLINK_UNCORRECTABLE
	226: true, // CONTAINED
	700: true, // ILLEGAL_ADDRESS
	702: true, // LAUNCH_TIMEOUT
	709: true, // CONTEXT_IS_DESTROYED
	710: true, // ASSERT
	714: true, // HARDWARE_STACK_ERROR
	715: true, // ILLEGAL_INSTRUCTION
	716: true, // MISALIGNED_ADDRESS
	717: true, // INVALID_ADDRESS_SPACE
	718: true, // INVALID_PC
	719: true, // LAUNCH_FAILED
	721: true, // TENSOR_MEMORY_LEAK
}
