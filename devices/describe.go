package devices

import (
	"gengfu/devices/profile"
	"gengfu/facility"
)

// OnlinePoint returns the state that every device has besides those of its
// profile: 1 while it answers, 0 while it does not.
func OnlinePoint(device string) facility.Point {
	return facility.Point{
		ID:   facility.PointID{Device: device, Quantity: facility.OnlineQuantity},
		Name: facility.Text{ZH: "通信", EN: "Communication"},
		Kind: facility.State,
		Labels: map[int]facility.Text{
			0: {ZH: "离线", EN: "Offline"},
			1: {ZH: "在线", EN: "Online"},
		},
		Period: facility.BadKeepAlive,
		Detail: true, // a device says by itself whether it is there
	}
}

// Describe returns what the rest of the house must know of the devices and
// readers. The configuration must have passed Validate.
func Describe(_ []LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile) ([]facility.Device, []facility.Reader) {
	devices := make([]facility.Device, len(devs))
	for i, d := range devs {
		p := d.model(profiles)
		devices[i] = facility.Device{
			ID: d.ID, Name: named(d.Name, d.ID), Kind: p.Kind, Place: d.Place,
			Line: d.Line, Address: string(d.Address), Profile: d.Profile,
			Points: append(p.FacilityPoints(d.ID), OnlinePoint(d.ID)), DependsOn: d.DependsOn,
			Parent: d.Parent, Ratings: d.Ratings,
		}
	}
	list := make([]facility.Reader, len(readers))
	for i, r := range readers {
		list[i] = facility.Reader(r)
		list[i].Name = named(r.Name, r.ID)
	}
	return devices, list
}

// named is the name, or the id of what nobody has named.
func named(name facility.Text, id string) facility.Text {
	if name.Empty() {
		return facility.Text{ZH: id}
	}
	return name
}
