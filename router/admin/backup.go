package admin

import (
	"context"

	"cairn"
)

// BackupCluster delivers a backup of a cluster's node index, in pieces: a file of
// everything that was acknowledged before the call. It takes as long as its
// context lets it. It fails with the error of deliver, and with KindNotFound if
// there is no cluster of that name; what fails after the first piece leaves no
// use for what was delivered.
func (a *Admin) BackupCluster(ctx context.Context, name string, deliver func(data []byte) error) error {
	_, c, err := a.cluster(ctx, name)
	if err != nil {
		return err
	}
	if a.config.Backup == nil {
		return cairn.Errorf(cairn.KindUnimplemented, "BACKUP_UNSUPPORTED", "this router makes no backups")
	}
	return a.config.Backup(ctx, c, deliver)
}
