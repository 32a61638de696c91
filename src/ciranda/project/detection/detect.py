"""All of it: from a listing to a proposal. Pure but for the files that are read."""

from ciranda.project.detection import code, data, quality
from ciranda.project.detection.listing import Listing, needs
from ciranda.project.detection.proposal import Proposal, Proposed


def detect(listing: Listing) -> Proposal:
    """What a `ciranda.toml` of this repository would say."""
    needed = needs(listing)
    pipeline, written = code.pipeline(listing)
    if pipeline is None:
        written += quality.stages(listing)
    sources = data.sources(listing, pipeline)
    made = {line.partition(" ")[0] for one in sources for line in one.lines} | (pipeline.steps if pipeline else set())
    services = code.services(listing, needed, made)
    found = [*written, *sources, *quality.checks(listing, needed), *services, *quality.jobs(listing)]
    if any(one.sure for one in services):
        chain = ("[environments.test]", "", "[environments.prod]", 'after = "test"')
        found.append(
            Proposed("environments", chain, "where the services run, in the order in which a release gets there")
        )
    notes = [*quality.locks(listing, needed), *data.models(listing)]
    if listing.left_out:
        notes.append(f"{listing.left_out:,} files were not looked at")
    return Proposal(tuple(found), tuple(notes))
