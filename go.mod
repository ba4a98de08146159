module github.com/custsync/custsync

go 1.26
