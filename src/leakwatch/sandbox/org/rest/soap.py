"""SOAP is not emulated, and says so in SOAP: a client of it reads a fault and nothing else."""

from __future__ import annotations

from xml.sax.saxutils import escape

from leakwatch.sandbox.org.errors import not_emulated
from leakwatch.sandbox.org.rest.http import Reply

ROOT = "/services/Soap/"
#: What stands behind the root: the API's name and the namespace of its faults. The namespaces are those of the WSDLs
#: (partner, enterprise, metadata, tooling); Apex's is *unverified*.
_APIS = {
    "u": ("the SOAP API", "urn:fault.partner.soap.sforce.com"),
    "c": ("the SOAP API", "urn:fault.enterprise.soap.sforce.com"),
    "m": ("the Metadata API (SOAP)", "http://soap.sforce.com/2006/04/metadata"),
    "T": ("the Tooling API (SOAP)", "urn:fault.tooling.soap.sforce.com"),
    "s": ("the Apex API (SOAP)", "http://soap.sforce.com/2006/08/apex"),
    "class": ("Apex web services", "urn:fault.partner.soap.sforce.com"),
}


def refuse(path: str) -> Reply:
    """A SOAP fault that names what was called; 501 where Salesforce's faults are 500, as everything not emulated."""
    what, namespace = _APIS.get(path.removeprefix(ROOT).partition("/")[0], _APIS["u"])
    error = not_emulated(what)
    code, message = error.error_code, escape(error.message)
    return Reply(
        error.status,
        content=(
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
            f' xmlns:sf="{namespace}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
            f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>"
            f'<detail><sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault">'
            f"<sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage>"
            "</sf:UnexpectedErrorFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        ).encode(),
        media_type="text/xml;charset=UTF-8",
    )
