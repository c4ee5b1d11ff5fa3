package command

import (
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
	"gengfu/facility"
)

// register is one register in all the ways in which it may be meant.
type register struct {
	Address int                 `json:"address"`
	Hex     string              `json:"hex,omitempty"`
	U16     *uint16             `json:"u16"` // null when it was not given; of a coil or discrete input 0 or 1
	I16     *int16              `json:"i16,omitempty"`
	F32     map[string]*float64 `json:"f32,omitempty"` // with the next register, by the order of the bytes
	Error   string              `json:"error,omitempty"`
}

// readTable reads registers of a device that has no profile.
func (cmd readCommand) readTable(c *console) (err error) {
	table := profile.Table(cmd.Table)
	unit, e := strconv.Atoi(cmd.Address)
	switch {
	case cmd.Port == "" || cmd.Address == "":
		return errors.New("--table needs --port and --address")
	case table.Function() == 0:
		return fmt.Errorf("--table %s: write coil, discrete, holding or input", cmd.Table)
	case e != nil || unit < 0 || unit > 255:
		return fmt.Errorf("--address %s: write the number of a slave", cmd.Address)
	case cmd.From < 0 || cmd.Count < 1 || cmd.From+cmd.Count > 1<<16:
		return fmt.Errorf("--from %d --count %d: registers go from 0 to 65535", cmd.From, cmd.Count)
	}
	at, err := findPlace(cmd.Port, nil)
	if err != nil {
		return err
	}
	setting, err := cmd.apply(&at)
	if err != nil {
		return err
	}
	protocol := sniff.Protocol(cmd.Protocol)
	if protocol == "" {
		protocol = sniff.ModbusRTU
		if at.serial == nil {
			protocol = sniff.ModbusTCP
		}
	}
	if !protocol.Modbus() {
		return fmt.Errorf("--protocol %s has no registers: write modbus-rtu, modbus-tcp or modbus-ascii", cmd.Protocol)
	}
	conn, err := at.open(c.ctx, setting)
	if err != nil {
		return fmt.Errorf("read %s: %w", cmd.Port, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	talk := scan.NewTalk(conn, setting.Wire(), "")
	for {
		next := time.Now().Add(cmd.Every)
		registers, failed, err := cmd.ask(c, talk, protocol, unit, table)
		if c.ctx.Err() != nil && cmd.Watch {
			return nil //nolint:nilerr // so it is meant to end
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", cmd.Port, err)
		}
		if err := cmd.printRegisters(c, registers, table); err != nil {
			return err
		}
		if !cmd.Watch {
			return failed
		}
		if line.Wait(c.ctx, next) != nil {
			return nil //nolint:nilerr // so it is meant to end
		}
	}
}

// ask reads the stretch in as many requests as Modbus wants. failed is why nothing came.
func (cmd readCommand) ask(c *console, talk *scan.Talk, protocol sniff.Protocol, unit int, table profile.Table) (out []register, failed, err error) {
	most, patience, answers := profile.MaxRegisters, time.Second, 0
	if table.Bits() {
		most = profile.MaxBits
	}
	for from := cmd.From; from < cmd.From+cmd.Count; from += most {
		q := scan.Question{Table: table, Address: from, Count: min(most, cmd.From+cmd.Count-from)}
		h, err := talk.Modbus(c.ctx, protocol, unit, q, patience)
		if err != nil {
			return nil, nil, err
		}
		words := h.Words()
		if words == nil {
			why := h.Problem
			if h.Answered != "" {
				why = h.Answered
			}
			failed = fmt.Errorf("slave %d: %s %d+%d: %s", unit, table, q.Address, q.Count, why)
			for i := range q.Count {
				out = append(out, register{Address: from + i, Error: why})
			}
			continue
		}
		answers++
		for i, w := range words {
			out = append(out, registerOf(table, from+i, w, words[i+1:]))
		}
	}
	if answers > 0 {
		failed = nil
	}
	return out, failed, nil
}

func registerOf(table profile.Table, address int, w uint16, rest []uint16) register {
	r := register{Address: address, U16: &w}
	if table.Bits() {
		return r
	}
	signed := int16(w)
	r.Hex, r.I16 = fmt.Sprintf("%04X", w), &signed
	if len(rest) == 0 {
		return r
	}
	r.F32 = map[string]*float64{}
	for _, order := range floatOrders() {
		pt := profile.Point{Table: table, Type: profile.F32, Order: order, Scale: 1}
		if v, q, _ := pt.Decode([]uint16{w, rest[0]}); q == facility.Good {
			r.F32[order] = &v
		} else {
			r.F32[order] = nil
		}
	}
	return r
}

func floatOrders() []string {
	return []string{profile.ABCD, profile.CDAB, profile.BADC, profile.DCBA}
}

func (cmd readCommand) printRegisters(c *console, registers []register, table profile.Table) error {
	if cmd.JSON {
		out := struct {
			Table     profile.Table `json:"table"`
			Registers []register    `json:"registers"`
		}{table, registers}
		if cmd.Watch {
			return c.lineJSON(out)
		}
		return c.printJSON(out)
	}
	if cmd.Watch && terminal(c.out) {
		fmt.Fprint(c.out, "\x1b[H\x1b[2J")
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	if table.Bits() {
		fmt.Fprintln(w, "ADDRESS\tVALUE\t")
	} else {
		fmt.Fprintln(w, "ADDRESS\tHEX\tU16\tI16\tF32 ABCD\tCDAB\tBADC\tDCBA\t")
	}
	for _, r := range registers {
		switch {
		case r.Error != "":
			fmt.Fprintf(w, "%d\t%s\t\n", r.Address, r.Error)
		case table.Bits():
			fmt.Fprintf(w, "%d\t%d\t\n", r.Address, *r.U16)
		default:
			fmt.Fprintf(w, "%d\t%s\t%d\t%d\t", r.Address, r.Hex, *r.U16, *r.I16)
			for _, order := range floatOrders() {
				s := "–"
				if v := r.F32[order]; v != nil {
					s = strconv.FormatFloat(*v, 'g', 6, 32)
				}
				fmt.Fprintf(w, "%s\t", s)
			}
			fmt.Fprintln(w)
		}
	}
	return w.Flush()
}
