package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"gengfu/dashboard/photo"
	"gengfu/facility"
)

func (s *Server) addPhoto(c *fiber.Ctx, v *visitor) error {
	o, err := s.takePhoto(c, v)
	if err != nil {
		return err
	}
	c.Status(fiber.StatusCreated)
	return s.sendOrder(c, v, o)
}

// takePhoto adds the photo of a form to the order that the path names. Whether
// the person may is asked first: decoding a picture is dear.
func (s *Server) takePhoto(c *fiber.Ctx, v *visitor) (facility.Order, error) {
	ctx := c.UserContext()
	o, err := s.orderFor(ctx, v, c.Params("id"))
	if err != nil {
		return facility.Order{}, err
	}
	if !o.MayAct(v.person, facility.OrderPhoto) {
		return facility.Order{}, fail("forbidden")
	}
	if _, err := o.State.Apply(facility.OrderPhoto); err != nil {
		return facility.Order{}, fail("unlawful")
	}
	upload, words, err := readUpload(c)
	if err != nil {
		return facility.Order{}, err
	}
	picture, err := s.cleanPhoto(ctx, upload)
	if err != nil {
		return facility.Order{}, fmt.Errorf("photo for order %s: %w", o.No, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return facility.Order{}, fmt.Errorf("number a photo: %w", err)
	}
	after, err := s.options.Desk.ActOnOrder(ctx, v.person, o.ID,
		facility.Act{Action: facility.OrderPhoto, Note: words, Photo: id.String()},
		&facility.Photo{
			ID: id.String(), Order: o.ID, Type: photo.ContentType, Data: picture,
			By: v.person.Login, At: s.now().UTC(),
		})
	if err != nil {
		return facility.Order{}, fmt.Errorf("add a photo to order %s: %w", o.No, err)
	}
	s.audit(ctx, v.person.Login, "order.photo", o.ID, o.No)
	return after, nil
}

func readUpload(c *fiber.Ctx) (upload []byte, words string, err error) {
	header, err := c.FormFile("photo")
	if err != nil {
		return nil, "", invalid("photo", "photo_missing", nil)
	}
	if header.Size > photo.MaxBytes {
		return nil, "", fail("too_large")
	}
	file, err := header.Open()
	if err != nil {
		return nil, "", fmt.Errorf("open the uploaded photo: %w", err)
	}
	upload, err = io.ReadAll(io.LimitReader(file, photo.MaxBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, "", fmt.Errorf("read the uploaded photo: %w", err)
	}
	words, err = note(c.FormValue("note"))
	return upload, words, err
}

// cleanPhoto re-encodes a picture, when its turn has come.
func (s *Server) cleanPhoto(ctx context.Context, upload []byte) ([]byte, error) {
	select {
	case s.photos <- struct{}{}:
		defer func() { <-s.photos }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to decode a photo: %w", ctx.Err())
	}
	return photo.Clean(upload)
}

func (s *Server) getPhoto(c *fiber.Ctx, v *visitor) error {
	picture, err := s.options.Orders.Photo(c.UserContext(), c.Params("id"))
	if err != nil {
		return doing("read a photo", err)
	}
	if _, err := s.orderFor(c.UserContext(), v, picture.Order); err != nil {
		return err
	}
	if picture.Type != photo.ContentType {
		return fmt.Errorf("photo %s is stored as %q", picture.ID, picture.Type)
	}
	c.Set(fiber.HeaderContentType, picture.Type)
	c.Set(fiber.HeaderContentDisposition, "inline")
	c.Set(fiber.HeaderCacheControl, "private, max-age=3600") // a photo never changes, but who may see it does
	return c.Send(picture.Data)
}
