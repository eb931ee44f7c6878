"""The asynchronous public names: the same as in `azcert`, awaited."""

from azcert.credential.async_ import CertificateCredential

__all__ = ["CertificateCredential"]
