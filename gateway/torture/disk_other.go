//go:build !linux

package main

import "errors"

var errLinux = errors.New("only on Linux")

func mountDisk(string) error      { return errLinux }
func unmountDisk(string) error    { return errLinux }
func lockDisk(string, bool) error { return errLinux }
func fillDisk(string) error       { return errLinux }
func freeDisk(string) error       { return errLinux }
func freeze(*process) error       { return errLinux }
func thaw(*process) error         { return errLinux }
