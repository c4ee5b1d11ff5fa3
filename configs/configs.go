// Package configs carries the files of this folder in the binary: device
// profiles, rules and the sites that come with the program. It is data only.
package configs

import "embed"

// FS holds example.yaml, demo.yaml, profiles/*.yaml with schema.json, and rules/*.yaml.
//
//go:embed *.yaml profiles rules
var FS embed.FS
