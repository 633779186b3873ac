import pytest

from functions.drift_monitor.detection.language import detect_languages
from tests.drift_monitor.sample_data import Row


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("One of the best films I have seen in years, and the ending is a real surprise.", "en"),
        ("Ein langweiliger Film, bei dem ich nach einer halben Stunde eingeschlafen bin.", "de"),
        ("Une histoire touchante, servie par des acteurs remarquables.", "fr"),
        ("Ang ganda ng pelikulang ito at napakahusay ng mga artista.", "other"),
        ("<br /><div></div>", "none"),
        ("10/10 👍", "none"),
        ("", "none"),
    ],
)
def test_the_language_of_a_text_is_detected(text: str, language: str) -> None:
    assert detect_languages([text]) == [language]


def test_reviews_with_markup_are_english(reviews: list[Row]) -> None:
    detected = detect_languages(row["text"] for row in reviews[:500])
    assert detected.count("en") >= 499
