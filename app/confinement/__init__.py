"""Work on what strangers sent, in processes that can do nothing but compute: parsers of files, and what renders texts.

    warm     the side of whoever wants the work done
    server   the warm process, from which a process is forked for each piece of work
    doors    what both give up, layer by layer

docs/decisions/0016 tells why it is made so.
"""
