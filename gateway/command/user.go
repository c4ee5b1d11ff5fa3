package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// ledgerFlags say whose register of people it is.
type ledgerFlags struct {
	dataFlag
	Site string `help:"Id of the site: needed where the gateway has never run, or the folder holds several." placeholder:"ID"`
}

// with opens the ledger. A gateway may be running on it.
func (f ledgerFlags) with(c *console, fn func(*ledger.Ledger) error) error {
	path := filepath.Join(f.Data, daemon.LedgerFile)
	if f.Site == "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no gateway has run in %s: check --data, or name the site with --site to begin its register", f.Data)
		}
	} else if err := createFolder(f.Data); err != nil {
		return err
	}
	l, err := ledger.Open(c.ctx, path, ledger.Options{Site: facility.Site{ID: f.Site}, Logger: c.log})
	if err != nil {
		return err
	}
	return errors.Join(fn(l), l.Close())
}

type userAdd struct {
	ledgerFlags
	Login string   `arg:"" help:"Lower-case letters, digits, '.', '_' and '-'."`
	Role  string   `help:"One of ${enum}." enum:"admin,manager,desk,technician,guard,viewer" required:""`
	Name  string   `help:"As people call them; without it the login."`
	Badge []string `help:"UID of a badge in hex, or 'dec:' and the number printed on it."`
	Phone string   `help:"Telephone number."`
}

func (cmd userAdd) Run(c *console) error {
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
	if err := p.Validate(); err != nil { // before a password is asked for
		return err
	}
	hash, err := askPassword(c)
	if err != nil {
		return err
	}
	return cmd.with(c, func(l *ledger.Ledger) error {
		err := l.CreatePerson(c.ctx, p, hash)
		if errors.Is(err, facility.ErrConflict) {
			return fmt.Errorf("add %s: the login or a badge is taken: %w", p.Login, err)
		}
		if err != nil {
			return fmt.Errorf("add %s: %w", p.Login, err)
		}
		_, err = fmt.Fprintf(c.out, "%s may sign in as %s\n", p.Login, p.Role)
		return err
	})
}

// askPassword asks twice on a terminal, and reads one line from anything else.
func askPassword(c *console) (string, error) {
	secret, err := readPassword(c, "Password: ", "Once more: ")
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(secret) < password.MinLength || len(secret) > password.MaxLength {
		return "", fmt.Errorf("a password has %d to %d bytes", password.MinLength, password.MaxLength)
	}
	return password.Hash(secret, password.DefaultCost())
}

// readPassword asks with each of the prompts on a terminal, and wants the same
// answer every time.
func readPassword(c *console, prompts ...string) (string, error) {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var first string
	for i, prompt := range prompts {
		fmt.Fprint(c.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", err
		}
		if i > 0 && string(b) != first {
			return "", errors.New("the two are not the same")
		}
		first = string(b)
	}
	return first, nil
}

type userList struct{ ledgerFlags }

func (cmd userList) Run(c *console) error {
	return cmd.with(c, func(l *ledger.Ledger) error {
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
	ledgerFlags
	Login string `arg:"" help:"Whose."`
}

func (cmd userPassword) Run(c *console) error {
	hash, err := askPassword(c)
	if err != nil {
		return err
	}
	return cmd.with(c, func(l *ledger.Ledger) error {
		if err := l.SetPassword(c.ctx, cmd.Login, hash); err != nil {
			return fmt.Errorf("password of %s: %w", cmd.Login, err)
		}
		_, err := fmt.Fprintf(c.out, "%s has a new password\n", cmd.Login)
		return err
	})
}

type userDisable struct {
	ledgerFlags
	Login string `arg:"" help:"Whose."`
}

func (cmd userDisable) Run(c *console) error { return setDisabled(c, cmd.ledgerFlags, cmd.Login, true) }

type userEnable struct {
	ledgerFlags
	Login string `arg:"" help:"Whose."`
}

func (cmd userEnable) Run(c *console) error { return setDisabled(c, cmd.ledgerFlags, cmd.Login, false) }

func setDisabled(c *console, flags ledgerFlags, login string, disabled bool) error {
	return flags.with(c, func(l *ledger.Ledger) error {
		p, err := l.Person(c.ctx, login)
		if err != nil {
			return fmt.Errorf("person %s: %w", login, err)
		}
		p.Disabled = disabled
		if err := l.UpdatePerson(c.ctx, p); err != nil {
			return fmt.Errorf("person %s: %w", login, err)
		}
		can := "may sign in again"
		if disabled {
			can = "may not sign in any more"
		}
		_, err = fmt.Fprintf(c.out, "%s %s\n", login, can)
		return err
	})
}
