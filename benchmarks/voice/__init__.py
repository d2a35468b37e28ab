"""What bench_voice.py is made of: a real Asterisk with app_queue, our engine in a process of its own, and one pair of ears."""
