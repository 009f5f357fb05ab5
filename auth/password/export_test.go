package password

// SetDerive puts f in the place of argon2id, so that tests can count, hold and
// release hashes.
func (h *Hasher) SetDerive(f func(password, salt []byte, time, memoryKiB uint32, threads uint8, tagLength uint32) []byte) {
	h.derive = f
}

// Reparse reads a PHC string and writes it again.
func Reparse(encoded string) (string, Params, error) {
	hash, err := parseArgon2id(encoded)
	return hash.String(), hash.params, err
}

// CommonPasswords returns the embedded list.
func CommonPasswords() []string { return loadCommon() }
