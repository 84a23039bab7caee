import pytest
from small_bridge import bridge

TEXTS = ["Is anybody there?", "Thank you."]


def test_every_text_arrives_once(chatfsm_url, chatfsm_judge):
    delivered = []
    bridge(chatfsm_url.endpoint(), TEXTS, delivered.append)
    assert delivered[1:] == ["You said: Is anybody there?", "You said: Thank you."]


@pytest.mark.chatfsm_faults("reset:post@1,500:poll@2,duplicate:poll@3", seed=7)
def test_the_same_on_a_bad_line(chatfsm_url, chatfsm_judge):
    delivered = []
    bridge(chatfsm_url.endpoint(), TEXTS, delivered.append)
    assert len(delivered) == len(set(delivered)) == 3
