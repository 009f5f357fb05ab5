package throttle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// DeviceLifetime is how long a device is known after the last sign-in on it.
const DeviceLifetime = 90 * 24 * time.Hour

// Of a device token: the version, the user's id, the device's own random id, the time when it expires, and the MAC.
const (
	deviceVersion = 1
	deviceID      = 16
	devicePayload = 1 + 8 + deviceID + 8
	deviceToken   = devicePayload + sha256.Size
)

// maxDeviceUsers is how many users of one device are known on it.
const maxDeviceUsers = 4

// device is a token that somebody has signed in on a device.
type device struct {
	userID  int64
	id      [deviceID]byte
	expires time.Time
	raw     [deviceToken]byte
}

// parseDevice reads a token, whose MAC is not looked at.
func parseDevice(text string) (d device, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != deviceToken || raw[0] != deviceVersion {
		return device{}, false
	}
	copy(d.raw[:], raw)
	d.userID = int64(binary.BigEndian.Uint64(raw[1:])) //nolint:gosec // it was written from one
	copy(d.id[:], raw[9:])
	d.expires = time.Unix(int64(binary.BigEndian.Uint64(raw[9+deviceID:])), 0) //nolint:gosec // likewise
	return d, true
}

// deviceMAC binds a token to the user's password hash as well: with another password no device is known any more.
func deviceMAC(key, payload []byte, passwordHash string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(payload)
	mac.Write([]byte(passwordHash))
	return mac.Sum(nil)
}

// tokensIn returns the tokens in the value of a device cookie that have not expired; of a longer list the first ones.
func (t *Throttle) tokensIn(cookie string) []device {
	var list []device
	for text := range strings.SplitSeq(cookie, ".") {
		d, ok := parseDevice(text)
		if ok && t.now().Before(d.expires) {
			list = append(list, d)
		}
		if len(list) == maxDeviceUsers {
			break
		}
	}
	return list
}

// KnownDevice returns the name of the device where the cookie shows that the user has signed in on it, with the password
// that is still theirs; else nothing.
func (t *Throttle) KnownDevice(cookie string, userID int64, passwordHash string) string {
	for _, d := range t.tokensIn(cookie) {
		if d.userID != userID {
			continue
		}
		for _, key := range t.devices {
			if hmac.Equal(d.raw[devicePayload:], deviceMAC(key, d.raw[:devicePayload], passwordHash)) {
				return base64.RawURLEncoding.EncodeToString(d.id[:])
			}
		}
	}
	return ""
}

// MarkDevice returns the value of the device cookie for a device on which the user has signed in. What the cookie says of
// other users is kept, and the device keeps its name.
func (t *Throttle) MarkDevice(cookie string, userID int64, passwordHash string) (string, error) {
	var raw [deviceToken]byte
	raw[0] = deviceVersion
	binary.BigEndian.PutUint64(raw[1:], uint64(userID)) //nolint:gosec // ids are positive
	if known := t.KnownDevice(cookie, userID, passwordHash); known != "" {
		id, err := base64.RawURLEncoding.DecodeString(known)
		if err != nil {
			return "", fmt.Errorf("device: %w", err)
		}
		copy(raw[9:], id)
	} else if _, err := io.ReadFull(t.random, raw[9:9+deviceID]); err != nil {
		return "", fmt.Errorf("draw device id: %w", err)
	}
	binary.BigEndian.PutUint64(raw[9+deviceID:], uint64(t.now().Add(DeviceLifetime).Unix())) //nolint:gosec // after 1970
	copy(raw[devicePayload:], deviceMAC(t.devices[0], raw[:devicePayload], passwordHash))

	others := slices.DeleteFunc(t.tokensIn(cookie), func(d device) bool { return d.userID == userID })
	texts := []string{base64.RawURLEncoding.EncodeToString(raw[:])}
	for _, d := range others[:min(len(others), maxDeviceUsers-1)] {
		texts = append(texts, base64.RawURLEncoding.EncodeToString(d.raw[:]))
	}
	return strings.Join(texts, "."), nil
}
