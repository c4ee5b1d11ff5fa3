// Package facility is the domain of a residential property: its places,
// devices, readings, alarms, patrols and work orders, and which change of their
// states is lawful. It does no input or output and imports only the standard
// library.
package facility
