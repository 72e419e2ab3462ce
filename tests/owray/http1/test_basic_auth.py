"""A key is sent, and is seen by nobody else."""

import base64

import pytest

from owray.http1.basic_auth import authorization, hiding

KEY = "uuid:123zO3xZCLrMN6v2"


@pytest.mark.parametrize("form", [KEY, KEY.partition(":")[2], base64.b64encode(KEY.encode()).decode(), authorization(KEY)])
def test_a_key_is_taken_out_of_a_text_in_whatever_form(form):
    assert hiding(KEY)(f"<{form}>").replace("Basic ", "") == "<(the key)>"


def test_a_key_is_found_where_its_slashes_are_escaped():
    key = "uuid:???>>>~~~"
    written = base64.b64encode(key.encode()).decode()
    assert "/" in written
    assert hiding(key)(written.replace("/", "\\/")) == "(the key)"


def test_the_user_alone_is_no_secret():
    assert hiding(KEY)("uuid is not known") == "uuid is not known"


def test_a_password_that_is_hardly_one_spoils_no_words():
    assert hiding("a:b")("a bubble, a:b") == "a bubble, (the key)"
