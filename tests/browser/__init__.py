"""Pages in a real browser. Screenshots and printed pages go to build/browser, or to $AUDACITORCH_TEST_OUTPUT."""
