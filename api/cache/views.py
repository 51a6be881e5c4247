"""Views: rows as the public answers that are kept, and what each of them tells of. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cache.reads import Loaded
from api.cache.tags import POSTS as EVERY_POST
from api.cache.tags import tag_post, tag_user
from api.page import POSTS, next_cursor
from api.present import present_page, present_post, present_profile
from api.respond import make_view

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.page import Found, Listing
    from api.read.posts import Post
    from api.read.profiles import Profile
    from api.respond import View


def view_profile(user: Profile) -> Loaded:
    """Return what every signed-in user sees of a living one."""
    return Loaded(make_view(present_profile(user)), (tag_user(user.id),))


def view_post(post: Post) -> Loaded:
    """Return what every signed-in user sees of a published post: its author is in it."""
    return Loaded(make_view(present_post(post)), (tag_post(post.id), tag_user(post.author.id)))


def view_posts(found: Found[Post]) -> Loaded:
    """Return a page of everybody's posts: any other post may belong there."""
    authors = {tag_user(post.author.id) for post in found.rows}
    return Loaded(make_posts_view(found, POSTS), (EVERY_POST, *authors))


def make_posts_view(found: Found[Post], listing: Listing[UUID]) -> View:
    """Return a page of posts, with where to go on."""
    posts = [present_post(post) for post in found.rows]
    return make_view(present_page(posts, next_cursor=next_cursor(listing, found, _place)))


def _place(post: Post) -> tuple[datetime, UUID]:
    return post.created_at, post.id
