package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"gengfu/dashboard/password"
	"gengfu/facility"
	"gengfu/gateway/daemon"
	"gengfu/storage/ledger"
)

type userCommand struct {
	Add      userAdd      `cmd:"" help:"Add a person. The password is asked for, or read from standard input."`
	List     userList     `cmd:"" help:"List everybody."`
	Password userPassword `cmd:"" help:"Give a person a new password and end their sessions."`
	Disable  userDisable  `cmd:"" help:"Take a person's access away."`
	Enable   userEnable   `cmd:"" help:"Give a person's access back."`
}

// withLedger opens the ledger in the data folder. A site that never ran has
// none yet: site names it then.
func withLedger(c *console, data, site string, fn func(*ledger.Ledger) error) error {
	l, err := ledger.Open(c.ctx, filepath.Join(data, daemon.LedgerFile), ledger.Options{Site: facility.Site{ID: site}, Logger: c.log})
	if err != nil {
		return err
	}
	return errors.Join(fn(l), l.Close())
}

type userAdd struct {
	dataFlag
	Login string   `arg:"" help:"Lower-case letters, digits, '.', '_' and '-'."`
	Role  string   `help:"admin, manager, desk, technician, guard or viewer." enum:"admin,manager,desk,technician,guard,viewer" required:""`
	Name  string   `help:"As people call them; without it the login."`
	Badge []string `help:"UID of a badge, in hex."`
	Phone string   `help:"Telephone number."`
	Site  string   `help:"Id of the site, where the data folder is new."`
}

func (cmd userAdd) Run(c *console) error {
	if err := cmd.create(); err != nil {
		return err
	}
	p := facility.Person{Login: cmd.Login, Name: cmd.Name, Role: facility.Role(cmd.Role), Phone: cmd.Phone}
	if p.Name == "" {
		p.Name = p.Login
	}
	for _, b := range cmd.Badge {
		uid, err := facility.NormaliseUID(b)
		if err != nil {
			return err
		}
		p.Badges = append(p.Badges, uid)
	}
	hash, err := askPassword(c)
	if err != nil {
		return err
	}
	return withLedger(c, cmd.Data, cmd.Site, func(l *ledger.Ledger) error {
		if err := l.CreatePerson(c.ctx, p, hash); err != nil {
			return fmt.Errorf("add %s: %w", p.Login, err)
		}
		_, err := fmt.Fprintf(c.out, "%s may sign in as %s\n", p.Login, p.Role)
		return err
	})
}

// askPassword asks twice on a terminal, and reads one line from anything else.
func askPassword(c *console) (string, error) {
	secret, err := readPassword(c)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(secret) < password.MinLength || len(secret) > password.MaxLength {
		return "", fmt.Errorf("a password has %d to %d bytes", password.MinLength, password.MaxLength)
	}
	return password.Hash(secret, password.DefaultCost())
}

func readPassword(c *console) (string, error) {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(c.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", err
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are not the same")
	}
	return typed[0], nil
}

type userList struct{ dataFlag }

func (cmd userList) Run(c *console) error {
	return withLedger(c, cmd.Data, "", func(l *ledger.Ledger) error {
		people, err := l.People(c.ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		for _, p := range people {
			state := "active"
			if p.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Login, p.Role, state, p.Name, strings.Join(p.Badges, " "))
		}
		return w.Flush()
	})
}

type userPassword struct {
	dataFlag
	Login string `arg:""`
}

func (cmd userPassword) Run(c *console) error {
	hash, err := askPassword(c)
	if err != nil {
		return err
	}
	return withLedger(c, cmd.Data, "", func(l *ledger.Ledger) error {
		if err := l.SetPassword(c.ctx, cmd.Login, hash); err != nil {
			return fmt.Errorf("password of %s: %w", cmd.Login, err)
		}
		_, err := fmt.Fprintf(c.out, "%s has a new password\n", cmd.Login)
		return err
	})
}

type userDisable struct {
	dataFlag
	Login string `arg:""`
}

func (cmd userDisable) Run(c *console) error { return setDisabled(c, cmd.Data, cmd.Login, true) }

type userEnable struct {
	dataFlag
	Login string `arg:""`
}

func (cmd userEnable) Run(c *console) error { return setDisabled(c, cmd.Data, cmd.Login, false) }

func setDisabled(c *console, data, login string, disabled bool) error {
	return withLedger(c, data, "", func(l *ledger.Ledger) error {
		p, err := l.Person(c.ctx, login)
		if err != nil {
			return fmt.Errorf("person %s: %w", login, err)
		}
		p.Disabled = disabled
		if err := l.UpdatePerson(c.ctx, p); err != nil {
			return fmt.Errorf("person %s: %w", login, err)
		}
		_, err = fmt.Fprintf(c.out, "%s: disabled is now %v\n", login, disabled)
		return err
	})
}
