-- What the image did to this server so far must not be replicated.
RESET BINARY LOGS AND GTIDS;
CHANGE REPLICATION SOURCE TO
    SOURCE_HOST = 'mysql-primary',
    SOURCE_USER = 'replication',
    SOURCE_PASSWORD = 'replication',
    SOURCE_AUTO_POSITION = 1,
    SOURCE_CONNECT_RETRY = 2,
    SOURCE_SSL = 1;
START REPLICA;
