import pytest, json
from tests.api.responder import Responder
pytestmark = pytest.mark.asyncio(loop_scope="package")
PROD="/subscriptions/3f6c2b1a-8d47-4e95-b0c3-5a1e9d7f2b64"
DEV="/subscriptions/a91d4e07-62cf-4f3b-8e28-c7b05d13f986"
async def test_a(its: Responder) -> None:
    al = its.raised()
    def p(name, a): print("##", name, a.status, a.kind, str(a.body)[:600])
    for name, body in {
        "notjson": b"{not json", "empty": b"", "list": b"[]", "wrong": {"a": 1}, "num": b"12", "utf8": b'{"id": "\xff\xfe"}',
        "nest": b'{"a":'*400000, "nest2": b'['*200000+b']'*200000, "nest5": b'['*5000000, "2mb": {"id": "x"*2000000},
        "dev": {"id": DEV+"/providers/Microsoft.Security/locations/centralus/alerts/abc"},
        "noid": {"id": PROD}, "noid2": {"id": "hello"},
        "unknown": {"id": PROD+"/providers/Microsoft.Security/locations/centralus/alerts/abc"},
        "quote": {"id": PROD+"/providers/Microsoft.Security/locations/centralus/alerts/abc'or 1 eq 1"},
        "kql": {"id": PROD+"/providers/Microsoft.Security/locations/centralus/alerts/a | take 1"},
        "mark": {"id": PROD+"/providers/Microsoft.Security/locations/centralus/alerts/<script>"},
        "trav": {"id": PROD+"/providers/Microsoft.Security/locations/centralus/alerts/../../x"},
        "surr": b'{"id": "\\ud800"}',
        "tenant": {"id": "/providers/Microsoft.Security/locations/centralus/alerts/abc"},
        "exported dev": (lambda e: {**e})(__import__("sandbox.alerting").alerting.exported(al)),
    }.items():
        p(name, await its.ask("POST","alerts",body,by="logic-defender-alerts"))
    p("notoken", await its.ask("POST","alerts",{"id":al["id"]}))
    p("reader", await its.ask("POST","alerts",{"id":al["id"]}, by="soc"))
    p("norole", await its.ask("POST","alerts",{"id":al["id"]}, by="dev"))
    for i in ["abc", "f"*20, "..%2f..%2fx", "%27%20or%201%20eq%201", "%3Cscript%3E", "a%20%7C%20take%201", "%00", "x"*3000, "../../alerts"]:
        p("GET "+i[:30], await its.ask("GET", f"incidents/{i}", by="soc"))
        p("POST "+i[:30], await its.ask("POST", f"incidents/{i}/approvals", {"gate":"x","decision":"approve"}, by="alice"))
    i = await its.responding(al)
    for name, body in {"notjson": b"{", "utf8": b'{"gate":"\xff","decision":"approve"}', "surr": b'{"gate":"\\ud800","decision":"reject"}', "surr reason": b'{"gate":"%s","decision":"reject","reason":"\\ud800"}' % (i.encode()+b"-0-0-0-0"),
        "gate": {"gate": "nope", "decision":"approve"}, "gate2": {"gate":"../../x", "decision":"approve"}, "gate3":{"gate":"<script>'|take","decision":"approve"},
        "gate4": {"gate":"x"*5000, "decision":"approve"}, "decision": {"gate":"x","decision":"maybe"}, "extra": {"gate":"x","decision":"approve","by":"alice"},
        "nest": b"["*100000, "null": b"null", "nul": {"gate":"a\0b","decision":"approve"}}.items():
        p(name, await its.ask("POST", f"incidents/{i}/approvals", body, by="alice"))
    p("rerun", await its.ask("POST", f"incidents/{i}/rerun", {}, by="alice"))
    p("rerun", await its.ask("POST", f"incidents/{i}/rerun", b"{", by="alice"))
    p("undo", await its.ask("POST", f"incidents/{i}/undo", {}, by="alice"))
    p("undo soc", await its.ask("POST", f"incidents/{i}/undo", {}, by="soc"))
    p("answer", await its.ask("POST", f"incidents/{i}/answer", {"expected": False}, by="owner"))
    s = await its.show(i)
    print(json.dumps(s["refusals"], indent=1))
    s = await its.ended(i)
    print(s["result"], s["reason"], s["alerts"])
