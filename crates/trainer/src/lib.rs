//! Both ends of the Client API session protocol: the trainer and the job cell that owns it.
