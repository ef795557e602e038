package indexv1

// MaxMessageBytes is the largest message that either side of the private API
// takes. Both check what they are about to send against MaxPackedBytes, since
// a message over the limit would end the stream for everyone on it.
const MaxMessageBytes = 16 << 20

// MaxPackedBytes is the largest packed field, leaving room for the rest of
// its message.
const MaxPackedBytes = MaxMessageBytes - 4096
