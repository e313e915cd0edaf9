"""The Fetch vocabulary that Workers, objects and the edge share: Headers, Request, Response and their parts."""

from perdure.web.body import Body, Content, close_content
from perdure.web.form import File, FormData
from perdure.web.headers import Headers, HeadersInit
from perdure.web.query import Query
from perdure.web.request import Request
from perdure.web.response import Response

__all__ = [
    "Body",
    "Content",
    "File",
    "FormData",
    "Headers",
    "HeadersInit",
    "Query",
    "Request",
    "Response",
    "close_content",
]
