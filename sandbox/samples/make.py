#!/usr/bin/env python3
"""Speaks the sample calls with espeak-ng and sox: <name>.wav and <name>.json beside this script.

Needs only the standard library and those two programs. Run it after changing a dialogue:

    python3 sandbox/samples/make.py

Channel 0 is the caller (the customer), channel 1 the agent. Every sentence is spoken on its own, trimmed of the
silence around it and laid at a known place, so the times in the JSON are those of the audio, to the sample.
"""

import array
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import wave

RATE = 8000
CALLER, AGENT = 0, 1
SENTENCE_GAP = 0.16
TURN_GAP = 0.34
LEAD = 0.5
QUIET = 60  # of 32768: what counts as silence when trimming

# A line is (who, text) or (who, text, gap before it in seconds); a negative gap talks over the one before.
# {written|spoken} is written one way in the transcript and spoken another.
CALLS = {
    "billing": {
        "title": "A customer was charged twice",
        "direction": "incoming",
        "agent": {"id": 490001, "name": "Roberto Neri", "voice": "en-us+m3"},
        "contact": {"id": 1450000001, "name": "Marta Bianchi", "phone": "+393500000101", "voice": "en-gb+f3"},
        "internal_number": "+390200000101",
        "campaign": "Customer Care",
        "lines": [
            (AGENT, "Good morning, Brightline Energy, this is Roberto. How can I help you?"),
            (CALLER, "Hi, this is Marta Bianchi. I was charged twice on my March invoice, and I am quite upset."),
            (AGENT, "I am sorry about that. May I have your e-mail address?"),
            (CALLER, "Sure, it is {marta.bianchi@example.com|marta dot bianchi at example dot com}."),
            (AGENT, "Thank you. I will refund forty two euros today and send you a confirmation."),
            (CALLER, "Perfect, thank you. That solves it."),
        ],
    },
    "sales": {
        "title": "An offer, and a customer who finds it expensive",
        "direction": "outgoing",
        "agent": {"id": 490002, "name": "Elena Conti", "voice": "en-gb+f2"},
        "contact": {"id": 1450000002, "name": "Luca Ferri", "phone": "+393500000102", "voice": "en-us+m7"},
        "internal_number": "+390200000102",
        "campaign": "Spring Renewals",
        "lines": [
            (CALLER, "Hello, Luca Ferri speaking."),
            (AGENT, "Hello Luca, this is Elena from Brightline. Is this a good moment?"),
            (CALLER, "Yes, but I only have a minute."),
            (AGENT, "Our new plan cuts office energy costs by ten percent."),
            (CALLER, "Honestly, it sounds too expensive for a small company like ours."),
            (AGENT, "I understand. What do you pay today?", -0.7),
            (CALLER, "About three hundred euros a month."),
            (AGENT, "Then you would save thirty euros. I will send you an offer by Friday."),
            (CALLER, "Okay, send it and I will think about it."),
        ],
    },
    "support": {
        "title": "A line that keeps dropping",
        "direction": "incoming",
        "agent": {"id": 490003, "name": "Davide Greco", "voice": "en-gb+m2"},
        "contact": {"id": 1450000003, "name": "Sofia Marino", "phone": "+393500000103", "voice": "en-us+f4"},
        "internal_number": "+390200000103",
        "campaign": "Technical Support",
        "lines": [
            (AGENT, "Support, this is Davide speaking. What can I do for you?"),
            (CALLER, "My router keeps losing the connection since yesterday. It is really frustrating."),
            (AGENT, "I understand. Did you already restart it?"),
            (CALLER, "Yes, twice, and it did not help."),
            (AGENT, "Then let me reset the line from here. One moment, please."),
            (CALLER, "It is back. Great, it works again.", 1.8),
            (AGENT, "Wonderful. I will close ticket {4821|four eight two one} and call you tomorrow."),
            (CALLER, "Thank you so much."),
        ],
    },
    "appointment": {
        "title": "An appointment is moved",
        "direction": "incoming",
        "agent": {"id": 490004, "name": "Giulia Serra", "voice": "en-us+f2"},
        "contact": {"id": 1450000004, "name": "Paolo Ricci", "phone": "+393500000104", "voice": "en-gb+m5"},
        "internal_number": "+390200000104",
        "campaign": "Reception",
        "lines": [
            (AGENT, "Green Clinic, Giulia speaking, good afternoon."),
            (CALLER, "Good afternoon, my name is Paolo Ricci. I would like to move my appointment on Tuesday."),
            (AGENT, "No problem. Would Thursday at ten o'clock suit you?"),
            (CALLER, "Thursday morning is difficult, I am at work until noon."),
            (AGENT, "What about half past three?"),
            (CALLER, "That is perfect."),
            (AGENT, "Done. Please arrive ten minutes early."),
            (CALLER, "Thank you very much, goodbye."),
        ],
    },
}


def say(sentence, voice, folder):
    """The samples of one sentence at 8 kHz, without the silence around it."""
    spoken, telephone = folder / "spoken.wav", folder / "telephone.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "200", "-w", str(spoken), sentence], check=True)
    subprocess.run(["sox", "-D", str(spoken), "-r", str(RATE), "-b", "16", "-c", "1", str(telephone), "gain", "-4"], check=True)
    with wave.open(str(telephone)) as file:
        samples = array.array("h", file.readframes(file.getnframes()))
    loud = [at for at, sample in enumerate(samples) if abs(sample) > QUIET]
    return samples[loud[0] : loud[-1] + 1]


def sentences(text):
    """Written and spoken form of each sentence of a line."""
    for sentence in re.split(r"(?<=[.?!])\s+", text):
        yield tuple(re.sub(r"\{([^|]*)\|([^}]*)\}", form, sentence) for form in (r"\1", r"\2"))


def lay(call, folder):
    """Lays the lines out in time: (samples and their place, per channel), and the turns."""
    laid, turns, free_from = [], [], LEAD
    for line in call["lines"]:
        who, text, gap = (*line, TURN_GAP)[:3]
        at = round((free_from + (gap if turns else 0)) * RATE)
        voice = call["agent" if who == AGENT else "contact"]["voice"]
        parts = []
        for written, spoken in sentences(text):
            samples = say(spoken, voice, folder)
            laid.append((who, at, samples))
            parts.append({"start": at / RATE, "end": (at + len(samples)) / RATE, "text": written})
            at += len(samples) + round(SENTENCE_GAP * RATE)
        whole = " ".join(part["text"] for part in parts)
        turns.append({"channel": who, "start": parts[0]["start"], "end": parts[-1]["end"], "text": whole, "sentences": parts})
        free_from = max(turn["end"] for turn in turns)
    return laid, turns, round((free_from + LEAD) * RATE)


def write(name, call, target, folder):
    laid, turns, length = lay(call, folder)
    frames = array.array("h", bytes(4 * length))
    for who, at, samples in laid:
        for offset, sample in enumerate(samples):
            frames[2 * (at + offset) + who] = sample
    with wave.open(str(target / f"{name}.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames.tobytes())
    about = {"name": name, "title": call["title"], "direction": call["direction"], "campaign": call["campaign"]}
    about["agent"] = {key: call["agent"][key] for key in ("id", "name")}
    about["contact"] = {key: call["contact"][key] for key in ("id", "name", "phone")}
    about |= {"internal_number": call["internal_number"], "language": "en", "sample_rate": RATE, "duration": length / RATE}
    about["channels"] = ["caller", "agent"]
    (target / f"{name}.json").write_text(json.dumps(about | {"turns": turns}, indent=1) + "\n")
    print(f"{name}: {length / RATE:.1f} s")


def main():
    target = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or CALLS:
            write(name, CALLS[name], target, pathlib.Path(folder))


if __name__ == "__main__":
    main()
