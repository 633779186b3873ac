from uuid import UUID

from sentiment.database.alerts import open_alerts, raise_alert, resolve_alert
from sentiment.database.session import transaction
from sqlalchemy import Engine
from sqlalchemy.orm import Session


def test_the_same_cause_has_one_open_alert(database: Engine) -> None:
    def raise_one(session: Session, message: str) -> UUID:
        return raise_alert(
            session, kind="drift", cause="confidence", severity="warning", message=message, details={}
        ).id

    with transaction(database) as session:
        assert raise_one(session, "first") == raise_one(session, "second")
        assert [alert.message for alert in open_alerts(session)] == ["second"]
        resolve_alert(session, kind="drift", cause="confidence")
        assert open_alerts(session) == []
        raise_one(session, "again")
        assert [alert.message for alert in open_alerts(session)] == ["again"]
