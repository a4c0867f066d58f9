"""Defects of keys and secrets: who is believed, who may do what, and who is given what."""

from tests.rigs.mutants.defect import Change, Defect

_TOKENS, _SECRETS = "tests/unit/test_pulse_app_auth.py", "tests/unit/test_stack_secrets.py"
_RIGHTS = "tests/integration/test_services_role.py"

KEYS = (
    Defect(
        "A service signs as any other with its own key",
        (Change("api_contract/service_tokens.py", " issuer=key.issuer, options=options", " options=options"),),
        (f"{_TOKENS}::test_a_sibling_cannot_take_what_it_has_no_right_to",),
    ),
    Defect(
        "A sibling speaks with scopes and roles that its key was not given",
        (
            Change(
                "pulse_app/service_tokens.py",
                "    if not is_gateway and not _is_within(signed):\n",
                "    if not is_gateway and claims is None:\n",
            ),
        ),
        (f"{_TOKENS}::test_a_sibling_cannot_take_what_it_has_no_right_to",),
    ),
    Defect(
        "A sibling reaches what no scope opens",
        (
            Change(
                "pulse_app/auth.py",
                "    if ServiceRight.GATEWAY not in g.service_rights and needed not in g.service_rights:\n",
                "    if not g.service_rights:\n",
            ),
        ),
        ("tests/contract/test_service_keys.py::test_a_sibling_reads_orders_of_an_account_and_does_nothing_else",),
    ),
    Defect(
        "A process is given the secrets of all",
        (
            Change(
                "pulse_ops/stack/handed_on.py",
                "    kept_back = EVERY_SECRET - SECRETS.get(process, frozenset())\n",
                "    kept_back = _OF_NO_PROCESS - SECRETS.get(process, frozenset())\n",
            ),
        ),
        (f"{_SECRETS}::test_each_process_is_given_the_secrets_that_it_needs_and_no_other",),
    ),
    Defect(
        "The role of the services may delete any row",
        (
            Change(
                "pulse_core/migrations/rights.py",
                '        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}",\n',
                '        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",\n',
            ),
        ),
        (f"{_RIGHTS}::test_the_services_delete_what_is_meant_to_go_and_nothing_else",),
    ),
)
