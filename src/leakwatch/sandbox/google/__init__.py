"""Google as the sandbox plays it: service-account tokens, Directory, Gmail and its batches."""
