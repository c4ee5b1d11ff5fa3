package broker

import (
	"context"
	"log/slog"
)

// above lets warnings and errors pass only.
type above struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h *above) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h *above) WithAttrs(a []slog.Attr) slog.Handler { return &above{h.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (h *above) WithGroup(name string) slog.Handler { return &above{h.Handler.WithGroup(name)} }
