"""The timer that tells the standby thread of a long call."""

import threading
import time

from serving.alarm import Alarm


def wait_in_thread(alarm: Alarm) -> tuple[threading.Thread, list[float]]:
    woken: list[float] = []

    def sleep() -> None:
        alarm.wait()
        woken.append(time.monotonic())

    thread = threading.Thread(target=sleep)
    thread.start()
    return thread, woken


def test_it_goes_off_after_the_last_move() -> None:
    alarm = Alarm(0.2)
    thread, woken = wait_in_thread(alarm)
    for _ in range(8):
        alarm.move()
        last = time.monotonic()
        time.sleep(0.05)
    assert woken == []
    thread.join(5)
    assert woken[0] >= last + 0.19
    alarm.close()


def test_it_can_be_fired_at_once() -> None:
    alarm = Alarm(3600)
    thread, woken = wait_in_thread(alarm)
    alarm.move()
    alarm.fire()
    thread.join(5)
    assert woken
    alarm.close()


def test_it_does_not_run_before_the_first_move() -> None:
    alarm = Alarm(0.01)
    thread, woken = wait_in_thread(alarm)
    time.sleep(0.1)
    assert woken == []
    alarm.fire()
    thread.join(5)
    alarm.close()
