//go:build unix && !linux

package line

import "fmt"

func setRS485(d *device, _ RS485) error {
	return fmt.Errorf("the RS-485 mode of %s can be set on Linux only: leave rs485 out when the adapter switches by itself", d.path)
}

func setLowLatency(*device) {}
