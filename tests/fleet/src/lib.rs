//! A `ProxySQL` cluster and a Kubernetes API on loopback, for the tests and the demonstration of `proxysql-agent`.
