"""What is asked of an answer that breaks off and is gone on with, and what it has to be."""


def wish(breaks):
    """Asked first is one that breaks off; who can goes on."""
    return {"openmux": {"resume": True}, "provider": {"order": [breaks], "only": [breaks, "amazon-bedrock"]}}


def is_joined(text, told, breaks):
    assert text.count("[sandbox]") == 1 and len(text.split()) == 60, text
    seams = told["seams"]
    assert [(seam["from"], seam["provider"]) for seam in seams] == [(breaks, "amazon-bedrock")], told
